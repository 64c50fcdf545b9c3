// What one span carries: times, its own attributes, its events, and those of its resource.

import { read } from "./api.js";
import { el, notice, pill } from "./dom.js";
import { ms } from "./format.js";

let newest = "";

/** Fill `place` with the span's page, or empty it; `close` is called by its button and by Escape. */
export async function panel(place, traceId, spanId, close) {
  newest = spanId;
  if (!spanId) return place.replaceChildren();
  let span;
  try {
    span = await read(`/blueprint/traces/${traceId}/spans/${spanId}`);
  } catch (error) {
    return place.replaceChildren(notice(error.message, "bad"));
  }
  if (newest !== spanId) return;
  const query = `trace=~"/traces/${traceId}$"\nAND spanId="${spanId}"`;
  place.replaceChildren(
    el(
      "aside",
      {
        "aria-label": "Span",
        onkeydown: (event) => {
          if (event.key === "Escape") close();
        },
      },
      el(
        "div",
        { class: "title" },
        el("h2", {}, span.name),
        el("button", { type: "button", class: "close", "aria-label": "Close", onclick: close }, "✕"),
      ),
      el(
        "p",
        { class: "facts" },
        pill(span.kind.toLowerCase()),
        span.status === "ERROR" ? pill("error", "bad") : "",
        ` ${ms(span.duration_ms)}`,
      ),
      span.status_message ? notice(span.status_message, "bad") : "",
      el("p", {}, el("a", { href: `/logs?${new URLSearchParams({ query })}` }, "Log entries of this span")),
      section("Attributes", span.attributes, true),
      span.events.map((event) =>
        section(`Event ${event.name} at ${ms(event.at_ms)}`, event.attributes, true),
      ),
      section(
        "Times and ids",
        { start: span.start, end: span.end, span_id: span.span_id, parent_id: span.parent_id || "none" },
        false,
      ),
      section("Resource", span.resource, false),
    ),
  );
}

function section(title, values, open) {
  const pairs = Object.entries(values);
  return el(
    "details",
    { open },
    el("summary", {}, title),
    pairs.length
      ? el(
          "dl",
          { class: "values" },
          pairs.flatMap(([key, value]) => [el("dt", {}, key), el("dd", {}, value)]),
        )
      : el("p", { class: "dim" }, "none"),
  );
}
