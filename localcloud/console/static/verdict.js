// The head of a trace: the verdict in one sentence, the figures, the critical path as one bar, and what else is known.

import { el, name, pill } from "./dom.js";
import { bound, ms, percent, time } from "./format.js";
import { colour } from "./palette.js";

const CAUSES = {
  cross_region_storage: "bucket in another region",
  cold_start: "cold start",
  retries: "retries",
  deadline_spent: "deadline spent before",
  queueing: "queueing",
  slow_dependency: "slow dependency",
  own_work: "own work",
  unknown: "unknown",
};
const SMALLEST = 0.004,
  NARROW = 0.06;

/** What stands in the head; `open(span)` shows a span. */
export const summary = (picture, open) => [
  el(
    "div",
    { class: "top" },
    el(
      "div",
      { class: "said" },
      el(
        "h1",
        { class: "verdict" },
        name(picture.verdict ? bound(picture.verdict.sentence) : "The trace has no spans."),
      ),
      picture.verdict ? cause(picture, open) : "",
    ),
    el("dl", { class: "figures" }, figures(picture)),
  ),
  picture.critical_path.length ? pathBar(picture, open) : "",
  el(
    "ul",
    { class: "notes" },
    picture.also.map((sentence) => el("li", {}, "Also: ", name(bound(sentence)))),
    picture.notes.map((note) => el("li", {}, name(bound(note)))),
  ),
];

const cause = ({ verdict, verdict_span: span, failed }, open) =>
  el(
    "p",
    { class: "cause" },
    pill(CAUSES[verdict.cause] ?? verdict.cause, failed ? "bad" : "warn"),
    el("span", {}, `${percent(verdict.share)} of the client's wait`),
    span ? el("button", { type: "button", class: "link", onclick: () => open(span) }, "Show the span") : "",
  );

const figures = (picture) => [
  figure("Duration", ms(picture.duration_ms)),
  figure("Status", picture.status ? pill(picture.status, picture.tone) : "none"),
  figure(
    "Dark time",
    ms(picture.dark_ms),
    percent(picture.total_ms ? picture.dark_ms / picture.total_ms : 0),
  ),
  figure("Spans", String(picture.rows.length)),
  figure("Began", time(picture.begin_ms)),
];

const figure = (title, value, note) =>
  el("div", {}, el("dt", {}, title), el("dd", {}, value, note ? el("small", {}, ` ${note}`) : ""));

const pathBar = ({ critical_path: path, duration_ms: whole }, open) =>
  el(
    "div",
    { class: "critical-path" },
    el("h2", {}, `Critical path of the ${ms(whole)} that the client waited`),
    el(
      "div",
      { class: "stack" },
      path.filter((step) => step.share > SMALLEST).map((step) => part(step, open)),
    ),
  );

function part(step, open) {
  const what = `${step.service} ${step.span}`;
  return el(
    "button",
    {
      type: "button",
      "data-key": step.id,
      class: `${colour(step.service)}${step.dark ? " dark" : ""}`,
      style: { "flex-grow": String(1000 * step.share) },
      title: `${what}: ${ms(step.self_ms)}, ${percent(step.share)}${step.dark ? ", dark" : ""}`,
      onclick: () => open(step.id),
    },
    el("span", { class: step.share < NARROW ? "sr" : null }, name(what), ` ${percent(step.share)}`),
  );
}
