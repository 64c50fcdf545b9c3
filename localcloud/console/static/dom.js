// Elements from text. Names and log lines come from requests: nothing here, or anywhere, reads text as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style")
      for (const [name, text] of Object.entries(value)) element.style.setProperty(name, text);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}

/** An element: attributes, `on…` listeners, `style` as an object; children are elements or text. */
export const el = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);

/** The same for SVG. */
export const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

/** A small word in a frame; `tone` is one of bad, warn, good, none. */
export const pill = (text, tone = "") => el("span", { class: `pill ${tone}` }, text);

/** One sentence where a view would be. */
export const notice = (text, tone = "") =>
  el("p", { class: `notice ${tone}`, role: tone === "bad" ? "alert" : null }, text);

/** Make `nodes` the children of `parent` and move only what must move, so that focus and scrolling stay. */
export function arrange(parent, nodes) {
  nodes.forEach((node, index) => {
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
  while (parent.children.length > nodes.length) parent.lastElementChild.remove();
}
