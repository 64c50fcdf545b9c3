// The axis of time above the waterfall, and what runs through all its rows: grid, deadline, and time without any span.

import { el, name } from "./dom.js";
import { ms } from "./format.js";

const MARGIN = 1.06,
  TICKS = 6,
  LAST = 0.95,
  RIGHT_HALF = 55;

/** From the trace's first instant `to` its end or, zoomed, to a little after the client's wait; `at` gives percent of the width. */
export function scaleOf({ total_ms: total, wait_ms: wait }, zoomed) {
  const to = (zoomed ? Math.min(total, MARGIN * wait) : total) || 1;
  return { to, at: (moment) => (100 * Math.min(moment, to)) / to };
}

/** What stands in the head of the rows. */
export const axis = ({ deadline }, scale) => [
  el("span", { class: "who" }, "Service and span"),
  el("span", { class: "took" }, "Took"),
  el("span", { class: "code" }, "Status"),
  el(
    "div",
    { class: "track" },
    moments(scale).map((at) => el("span", { class: "tick", style: { left: `${scale.at(at)}%` } }, ms(at))),
    shown(deadline, scale) ? label(deadline, scale) : "",
  ),
];

const shown = (deadline, scale) => deadline && deadline.at_ms <= scale.to;

const label = (deadline, scale) =>
  el(
    "strong",
    {
      class: `deadline${scale.at(deadline.at_ms) > RIGHT_HALF ? " left" : ""}`,
      style: { left: `${scale.at(deadline.at_ms)}%` },
    },
    name(deadline.label),
  );

/** The grid behind the bars. */
export const ticks = (scale) =>
  moments(scale).map((at) => el("i", { class: "grid", style: { left: `${scale.at(at)}%` } }));

/** Before the bars: the stretches without any span, the deadline, and the time after it. */
export const lines = ({ deadline, gaps }, scale) => [
  gaps.filter((gap) => !gap.span && gap.from_ms < scale.to).map((gap) => empty(gap, scale)),
  shown(deadline, scale) ? passing(deadline, scale) : [],
];

const empty = (gap, scale) =>
  el("i", {
    class: "empty",
    role: "img",
    title: gap.sentence,
    "aria-label": gap.sentence,
    style: { left: `${scale.at(gap.from_ms)}%`, width: `${scale.at(gap.to_ms) - scale.at(gap.from_ms)}%` },
  });

function passing(deadline, scale) {
  const left = `${scale.at(deadline.at_ms)}%`;
  return [
    el("i", { class: "after", style: { left } }),
    el("i", {
      class: "deadline",
      role: "img",
      "aria-label": `Deadline: ${deadline.label}`,
      title: deadline.label,
      style: { left },
    }),
  ];
}

function moments({ to }) {
  const rough = to / TICKS,
    power = 10 ** Math.floor(Math.log10(rough)),
    step = [1, 2, 5, 10].find((each) => each * power >= rough) * power;
  return Array.from({ length: Math.floor(to / step) + 1 }, (_, index) => index * step).filter(
    (at) => at < to * LAST,
  );
}
