// Elements from text. Names and log lines come from requests: nothing here, or anywhere, reads text as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    // As properties, so that `become` can give an element that stays what the new one would do.
    if (key.startsWith("on")) element[key] = value;
    else if (key === "style")
      for (const [name, text] of Object.entries(value)) element.style.setProperty(name, text);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child != null && child !== false && child !== ""),
  );
  return element;
}

/** An element: attributes, `on…` listeners, `style` as an object; children are elements or text. */
export const el = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);

/** The same for SVG. */
export const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

/** A text from a request, within a line: whatever its direction, what stands beside it stays where it is. */
export const name = (text) => el("bdi", {}, String(text));

/** A small word in a frame; `tone` is bad, warn, ok or empty, as the server says. */
export const pill = (text, tone = "") => el("span", { class: `pill ${tone}` }, name(text));

/** One sentence where a view would be. */
export const notice = (text, tone = "") =>
  el("p", { class: `notice ${tone}`, role: tone === "bad" ? "alert" : null }, name(text));

/** A query in the address of a view, of the pairs that have a value. */
export const address = (path, pairs) => {
  const text = new URLSearchParams(Object.entries(pairs).filter(([, value]) => value)).toString();
  return text ? `${path}?${text}` : path;
};

/** A link to the log entries of a query. */
export const logsOf = (query) => address("/logs", { query });

/** A table that scrolls by itself. `columns` are names, or [name, class]; `rows` are <tr>s, made by `row`. */
export const table = (columns, rows, caption) =>
  el(
    "div",
    { class: "scroll" },
    el(
      "table",
      { class: "list" },
      caption && el("caption", { class: "sr" }, caption),
      el("thead", {}, el("tr", {}, columns.map(heading))),
      el("tbody", {}, rows),
    ),
  );

const heading = (column) => {
  const [text, kind] = [column].flat();
  return el("th", { scope: "col", class: kind }, text);
};

/** A row of that table; a cell is what it holds, or [class, what it holds]. `more` are the row's attributes. */
export const row = (cells, more = {}) =>
  el(
    "tr",
    more,
    cells.map((cell) =>
      Array.isArray(cell) ? el("td", { class: cell[0] }, cell.slice(1)) : el("td", {}, cell),
    ),
  );
