// What one span carries: times, its own attributes, its events, and those of its resource.

import { read } from "./api.js";
import { el, logsOf, name, notice, pill } from "./dom.js";
import { ms } from "./format.js";

let newest = "";

/** Fill `place` with the page of a span and what its row knows, or empty it; `close` is called by its button and by Escape. */
export async function panel(place, traceId, spanId, row, close) {
  newest = spanId;
  if (!spanId) return place.replaceChildren();
  const [span, error] = await read(`/blueprint/traces/${traceId}/spans/${spanId}`).then(
    (span) => [span],
    (error) => [null, error],
  );
  if (newest !== spanId) return;
  const onkeydown = (event) => event.key === "Escape" && close();
  place.replaceChildren(
    el(
      "aside",
      { "aria-label": "Span", onkeydown },
      el(
        "div",
        { class: "title" },
        el("h2", {}, name(span?.name ?? row?.name ?? spanId)),
        el("button", { type: "button", class: "close", "aria-label": "Close", onclick: close }, "✕"),
      ),
      error ? notice(error.message, "bad") : content(span, row),
    ),
  );
}

const content = (span, row) => [
  el(
    "p",
    { class: "facts" },
    pill(span.kind.toLowerCase()),
    span.status === "ERROR" ? pill("error", "bad") : "",
    el("span", {}, ms(span.duration_ms)),
    row ? el("span", { class: "dim" }, `${ms(row.self_ms)} of it by itself`) : "",
  ),
  span.status_message ? notice(span.status_message, "bad") : "",
  el(
    "p",
    {},
    el(
      "a",
      { href: logsOf(`trace=~"/traces/${span.trace_id}$"\nAND spanId="${span.span_id}"`) },
      "Log entries of this span",
    ),
  ),
  section("Attributes", span.attributes, true),
  span.events.map((event) => section(`Event ${event.name} at ${ms(event.at_ms)}`, event.attributes, true)),
  section(
    "Times and ids",
    { start: span.start, end: span.end, span_id: span.span_id, parent_id: span.parent_id || "none" },
    false,
  ),
  section("Resource", span.resource, false),
];

function section(title, values, open) {
  const pairs = Object.entries(values);
  return el(
    "details",
    { open },
    el("summary", {}, name(title)),
    pairs.length
      ? el(
          "dl",
          { class: "values" },
          pairs.map(([key, value]) => [el("dt", {}, name(key)), el("dd", {}, name(value))]),
        )
      : el("p", { class: "dim" }, "none"),
  );
}
