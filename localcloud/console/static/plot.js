// When the listed traces began, and how long they took, on a logarithmic scale. The table says the same in words.

import { svg } from "./dom.js";
import { ms, time, tone } from "./format.js";
import { go } from "./router.js";

const HEIGHT = 96,
  TOP = 8,
  LEFT = 64,
  BOTTOM = 16;

/** An SVG of that width in pixels; a dot opens its trace. */
export function plot(traces, width) {
  if (traces.length < 3) return "";
  const starts = traces.map((trace) => trace.start_ms),
    logs = traces.map((trace) => Math.log10(Math.max(trace.duration_ms, 0.1)));
  const from = Math.min(...starts),
    until = Math.max(...starts, from + 1),
    low = Math.floor(Math.min(...logs)),
    high = Math.max(Math.ceil(Math.max(...logs)), low + 1);
  const x = (at) => LEFT + ((width - LEFT - 12) * (at - from)) / (until - from);
  const y = (log) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - log)) / (high - low);
  const scale = Array.from({ length: high - low + 1 }, (_, index) => low + index);
  return svg(
    "svg",
    { width, height: HEIGHT },
    scale.map((log) => [
      svg("line", { x1: LEFT, x2: width, y1: y(log), y2: y(log), class: "grid" }),
      svg("text", { x: LEFT - 8, y: y(log) + 4, class: "end" }, ms(10 ** log)),
    ]),
    svg("text", { x: LEFT, y: HEIGHT - 1 }, time(from)),
    svg("text", { x: width - 4, y: HEIGHT - 1, class: "end" }, time(until)),
    traces.map((trace, index) =>
      svg(
        "circle",
        {
          cx: x(trace.start_ms),
          cy: y(logs[index]),
          r: 4,
          class: trace.errors ? "bad" : tone(trace.status),
          onclick: () => go(`/traces/${trace.trace_id}`),
        },
        svg("title", {}, `${trace.service} ${trace.name}, ${ms(trace.duration_ms)}, ${trace.status}`),
      ),
    ),
  );
}
