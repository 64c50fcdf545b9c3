// When the listed traces began, and how long they took, on a logarithmic scale. The table says the same in words.

import { svg } from "./dom.js";
import { count, ms, time } from "./format.js";
import { go } from "./router.js";

const HEIGHT = 96,
  TOP = 8,
  LEFT = 64,
  RIGHT = 12,
  BOTTOM = 16,
  LINES = 4;

/** An SVG of that width in pixels; a dot opens its trace. What is far off in time stands at the edge, and is counted there. */
export function plot(traces, width) {
  if (traces.length < 3) return [];
  const [from, until] = span(traces.map((trace) => trace.start_ms)),
    logs = traces.map((trace) => Math.log10(Math.max(trace.duration_ms, 0.1))),
    low = Math.floor(Math.min(...logs)),
    high = Math.max(Math.ceil(Math.max(...logs)), low + 1);
  const inside = (at) => Math.min(1, Math.max(0, (at - from) / (until - from)));
  const x = (at) => LEFT + (width - LEFT - RIGHT) * inside(at);
  const y = (log) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - log)) / (high - low);
  return svg(
    "svg",
    { width, height: HEIGHT },
    powers(low, high).map((log) => line(log, y(log), width)),
    edges(traces, from, until, width),
    traces.map((trace, index) => dot(trace, x(trace.start_ms), y(logs[index]))),
  );
}

const line = (log, y, width) => [
  svg("line", { x1: LEFT, x2: width, y1: y, y2: y, class: "grid" }),
  svg("text", { x: LEFT - 8, y: y + 4, class: "end" }, ms(10 ** log)),
];

function edges(traces, from, until, width) {
  const early = traces.filter((trace) => trace.start_ms < from).length,
    late = traces.filter((trace) => trace.start_ms > until).length,
    y = HEIGHT - 1;
  return [
    svg("text", { x: LEFT, y }, early ? `‹ ${count(early, "trace")} before ` : "", time(from)),
    svg(
      "text",
      { x: width - 4, y, class: "end" },
      late ? `${count(late, "trace")} after ` : "",
      time(until),
      late ? " ›" : "",
    ),
  ];
}

/** From the first to the last of those that are not further off than five times the middle half is long. */
function span(starts) {
  const sorted = [...starts].sort((a, b) => a - b),
    at = (share) => sorted[Math.floor(share * (sorted.length - 1))],
    far = 5 * Math.max(at(0.75) - at(0.25), 1000);
  const near = sorted.filter((start) => start >= at(0.25) - far && start <= at(0.75) + far);
  return [near[0], Math.max(near.at(-1), near[0] + 1)];
}

function powers(low, high) {
  const step = Math.ceil((high - low) / LINES);
  return Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, index) => low + index * step);
}

const dot = (trace, cx, cy) =>
  svg(
    "circle",
    {
      cx,
      cy,
      r: 4,
      class: trace.tone,
      "data-key": trace.trace_id,
      onclick: () => go(`/traces/${trace.trace_id}`),
    },
    svg("title", {}, `${trace.service} ${trace.name}, ${ms(trace.duration_ms)}, ${trace.status}`),
  );
