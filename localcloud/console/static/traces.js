// The list of traces: a filter that lives in the address, a plot of when and how long, and the table.

import { poll } from "./api.js";
import { become } from "./become.js";
import { el, name, pill, row, table } from "./dom.js";
import { asked, filterForm, query } from "./filters.js";
import { count, ms, time } from "./format.js";
import { colour } from "./palette.js";
import { plot } from "./plot.js";
import { setQuery } from "./router.js";

const COLUMNS = [
  ["When", "when"],
  ["Entry", "entry"],
  ["Status", "status"],
  ["Duration", "duration"],
  ["Services", "services"],
  ["Spans", "spans number"],
  ["Kept because", "kept"],
  ["Errors", "errors"],
];

/** The view of / and /traces. */
export function traces(place, parameters, signal) {
  let wanted = asked();
  const change = (values) => {
    wanted = values;
    setQuery(query(values));
    look();
  };
  const filters = filterForm(wanted, change, signal),
    picture = el("div", { class: "plot", "aria-hidden": "true" }),
    summary = el("p", { class: "summary", role: "status" }),
    list = el("div"),
    pages = el("nav", { class: "pages", "aria-label": "Pages" });
  place.append(el("h1", { class: "sr" }, "Traces"), filters.form, picture, summary, list, pages);

  const show = (found) => {
    filters.offer(found);
    become(summary, told(found));
    become(picture, plot(found.traces, place.clientWidth - 20));
    become(list, found.traces.length ? table(COLUMNS, rows(found.traces), "Traces, newest first") : []);
    become(
      pages,
      wanted.page ? step("Newest", () => change({ ...wanted, page: "" })) : [],
      found.next ? step("Older", () => change({ ...wanted, page: found.next })) : [],
    );
  };
  const clear = () => {
    for (const part of [picture, summary, list, pages]) part.replaceChildren();
  };
  const look = poll(() => `/blueprint/traces?${query(wanted)}`, show, signal, { refused: clear });
}

const step = (text, onclick) => el("button", { type: "button", onclick }, text);

function told({ in_store: all, matching }) {
  if (!all) return "No trace has arrived yet. Send a request to a service: its trace appears here.";
  return `${count(matching, "trace")}${matching < all ? ` of ${all.toLocaleString("en")}` : ""}`;
}

function rows(found) {
  const longest = Math.max(...found.map((trace) => trace.duration_ms), 1);
  return found.map((trace) =>
    row(
      [
        ["when", el("span", { title: new Date(trace.start_ms).toISOString() }, time(trace.start_ms))],
        ["entry", entry(trace)],
        ["status", trace.status ? pill(trace.status, trace.tone) : ""],
        ["duration", el("span", { class: "number" }, ms(trace.duration_ms)), gauge(trace, longest)],
        ["services", trace.services.map(service)],
        ["spans number", String(trace.spans)],
        ["kept", trace.kept.map((reason) => pill(reason, reason === "head" ? "" : "warn"))],
        ["errors", trace.errors ? failed(trace.errors) : ""],
      ],
      { class: trace.tone === "bad" ? "bad" : null, "data-key": trace.trace_id },
    ),
  );
}

const entry = (trace) =>
  el(
    "a",
    { href: `/traces/${trace.trace_id}` },
    el("i", { class: `dot ${colour(trace.service)}` }),
    el("b", {}, name(trace.service)),
    " ",
    name(trace.name),
  );

const gauge = (trace, longest) =>
  el(
    "span",
    { class: "gauge" },
    el("i", {
      class: trace.tone,
      style: { width: `${Math.max(1, (100 * trace.duration_ms) / longest)}%` },
    }),
  );

const service = (text) =>
  el("span", { class: "service", title: text }, el("i", { class: `dot ${colour(text)}` }), name(text));

const failed = (number) =>
  el("span", { class: "mark" }, `▲ ${number}`, el("span", { class: "sr" }, " failed spans"));
