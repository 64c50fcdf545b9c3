// The list of traces: a filter that lives in the address, a plot of when and how long, and the table.

import { poll } from "./api.js";
import { arrange, el, notice, pill } from "./dom.js";
import { count, ms, time, tone } from "./format.js";
import { colour } from "./palette.js";
import { plot } from "./plot.js";
import { setQuery } from "./router.js";

const FIELDS = ["service", "status", "min_ms", "kept", "text", "page"];
const STATUSES = [
  ["", "Any status"],
  ["ok", "Ok"],
  ["error", "Any span failed"],
  ["5xx", "5xx"],
  ["4xx", "4xx"],
  ["504", "504"],
  ["503", "503"],
  ["500", "500"],
  ["429", "429"],
  ["404", "404"],
];
const COLUMNS = ["When", "Entry", "Status", "Duration", "Services", "Spans", "Kept because", "Errors"];

/** The view of / and /traces. */
export function traces(place, parameters, signal) {
  let asked = wanted();
  const filters = filterForm(asked, change);
  const summary = el("p", { class: "summary", role: "status" }),
    picture = el("div", { class: "plot", "aria-hidden": "true" });
  const body = el("tbody"),
    pages = el("nav", { class: "pages", "aria-label": "Pages" }),
    rows = new Map();
  const table = el(
    "table",
    { class: "list" },
    el("caption", { class: "sr" }, "Traces, newest first"),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        COLUMNS.map((name) =>
          el(
            "th",
            {
              scope: "col",
              class: `${name.toLowerCase().split(" ")[0]}${name === "Spans" ? " number" : ""}`,
            },
            name,
          ),
        ),
      ),
    ),
    body,
  );
  place.append(
    el("h1", { class: "sr" }, "Traces"),
    filters.form,
    picture,
    summary,
    el("div", { class: "scroll" }, table),
    pages,
  );

  const look = poll(
    () => `/blueprint/traces?${query(asked)}`,
    show,
    (error) => {
      summary.replaceChildren(notice(error.message, "bad"));
      arrange(body, []);
    },
    signal,
  );

  function change(values) {
    asked = values;
    setQuery(query(values));
    look();
  }
  function show(found) {
    filters.offer(found);
    summary.textContent = found.in_store
      ? `${count(found.matching, "trace")}${found.matching < found.in_store ? ` of ${found.in_store.toLocaleString("en")}` : ""}`
      : "No trace has arrived yet. Send a request to a service: its trace appears here.";
    const longest = Math.max(...found.traces.map((trace) => trace.duration_ms), 1),
      before = new Map(rows);
    rows.clear();
    for (const trace of found.traces) {
      const key = JSON.stringify([trace, longest]),
        known = before.get(trace.trace_id);
      rows.set(trace.trace_id, known?.key === key ? known : { key, row: row(trace, longest) });
    }
    arrange(
      body,
      [...rows.values()].map(({ row }) => row),
    );
    table.hidden = !found.traces.length;
    picture.replaceChildren(plot(found.traces, place.clientWidth - 60));
    pages.replaceChildren(
      asked.page
        ? el("button", { type: "button", onclick: () => change({ ...asked, page: "" }) }, "Newest")
        : "",
      found.next
        ? el("button", { type: "button", onclick: () => change({ ...asked, page: found.next }) }, "Older")
        : "",
    );
  }
}

function row(trace, longest) {
  const bad = tone(trace.status) === "bad" || trace.errors > 0;
  return el(
    "tr",
    { class: bad ? "bad" : null },
    el("td", { class: "when", title: new Date(trace.start_ms).toISOString() }, time(trace.start_ms)),
    el(
      "td",
      { class: "entry" },
      el(
        "a",
        { href: `/traces/${trace.trace_id}` },
        el("i", { class: `dot ${colour(trace.service)}` }),
        el("b", {}, trace.service),
        ` ${trace.name}`,
      ),
    ),
    el("td", { class: "status" }, trace.status ? pill(trace.status, tone(trace.status)) : ""),
    el(
      "td",
      { class: "duration" },
      el("span", { class: "number" }, ms(trace.duration_ms)),
      el(
        "span",
        { class: "gauge" },
        el("i", {
          class: tone(trace.status),
          style: { width: `${Math.max(1, (100 * trace.duration_ms) / longest)}%` },
        }),
      ),
    ),
    el(
      "td",
      { class: "services" },
      trace.services.map((name) =>
        el("span", { class: "service" }, el("i", { class: `dot ${colour(name)}` }), name),
      ),
    ),
    el("td", { class: "spans number" }, String(trace.spans)),
    el(
      "td",
      { class: "kept" },
      trace.kept.map((reason) => pill(reason, reason === "head" ? "none" : "warn")),
    ),
    el(
      "td",
      { class: "errors" },
      trace.errors
        ? el("span", { class: "mark" }, `▲ ${trace.errors}`, el("span", { class: "sr" }, " failed spans"))
        : "",
    ),
  );
}

function filterForm(asked, change) {
  const service = el("select", { id: "f-service" }),
    kept = el("select", { id: "f-kept" });
  const status = el("select", { id: "f-status" }, options(STATUSES, asked.status));
  const least = el("input", {
    id: "f-min",
    inputmode: "decimal",
    size: 7,
    value: asked.min_ms,
    placeholder: "0",
  });
  const text = el("input", {
    id: "f-text",
    type: "search",
    value: asked.text,
    placeholder: "name, path, attribute or trace id",
  });
  const values = () => ({
    service: service.value,
    status: status.value,
    min_ms: least.value.trim(),
    kept: kept.value,
    text: text.value.trim(),
    page: "",
  });
  let typing;
  const form = el(
    "form",
    {
      class: "filters",
      role: "search",
      onsubmit: (event) => {
        event.preventDefault();
        change(values());
      },
      onchange: () => change(values()),
      oninput: (event) => {
        clearTimeout(typing);
        if (event.target.matches("input")) typing = setTimeout(() => change(values()), 200);
      },
    },
    field("Service", service),
    field("Status", status),
    field("At least, ms", least),
    field("Kept because", kept),
    field("Contains", text, "wide"),
    el(
      "button",
      {
        type: "reset",
        onclick: (event) => {
          event.preventDefault();
          for (const input of form.elements) if (input.type !== "reset") input.value = "";
          change(values());
        },
      },
      "Clear",
    ),
  );
  const offer = (found) => {
    refill(
      service,
      [["", "All services"], ...found.services.map((name) => [name, name])],
      form.isConnected && service.options.length ? service.value : asked.service,
    );
    refill(
      kept,
      [["", "Any reason"], ...found.kept.map((name) => [name, name])],
      kept.options.length ? kept.value : asked.kept,
    );
  };
  offer({ services: [], kept: [] });
  return { form, offer };
}

const field = (label, input, size = "") =>
  el("div", { class: `field ${size}` }, el("label", { for: input.id }, label), input);

/** Several services, as an address may name, are one choice. */
function options(choices, chosen) {
  const known = choices.some(([value]) => value === chosen)
    ? choices
    : [...choices, [chosen, chosen.replaceAll(",", ", ")]];
  return known.map(([value, label]) => el("option", { value, selected: value === chosen }, label));
}

function refill(select, choices, chosen) {
  const made = options(choices, chosen),
    same =
      made.length === select.options.length &&
      made.every((option, index) => option.value === select.options[index].value);
  if (!same) select.replaceChildren(...made);
}

function wanted() {
  const given = new URLSearchParams(location.search);
  return Object.fromEntries(FIELDS.map((name) => [name, given.getAll(name).join(",")]));
}

function query(values) {
  const pairs = Object.entries(values).flatMap(([name, value]) =>
    (name === "service" ? value.split(",") : [value]).map((each) => [name, each]),
  );
  return new URLSearchParams(pairs.filter(([, value]) => value));
}
