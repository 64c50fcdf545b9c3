// One span of the waterfall: its name, duration and status, its bar, and the log entries that it wrote.

import { el, name, pill } from "./dom.js";
import { ms } from "./format.js";
import { colour } from "./palette.js";

const DEEPEST = 18,
  LOGS = 5;

/** An item of the tree; `scale` is that of `axis.js`. */
export const item = (row, scale) =>
  el(
    "div",
    {
      role: "treeitem",
      class: `item${row.failed ? " failed" : ""}${row.critical.length ? " on-path" : ""}`,
      tabindex: "-1",
      "data-key": row.id,
      "aria-label": row.label,
      "aria-level": row.depth + 1,
      "aria-expanded": row.children ? "true" : null,
      "aria-selected": "false",
      "aria-description": described(row),
    },
    el(
      "div",
      { class: "line" },
      who(row),
      el("span", { class: "took number", title: `${ms(row.self_ms)} of it by itself` }, ms(row.duration_ms)),
      el("span", { class: "code" }, row.status ? pill(row.status, row.tone) : ""),
      el("div", { class: "track" }, bar(row, scale)),
    ),
    row.logs.slice(0, LOGS).map(logLine),
    row.logs.length > LOGS ? el("p", { class: "log" }, `and ${row.logs.length - LOGS} more entries`) : "",
  );

/** What the eye sees and the name does not say. */
function described(row) {
  const said = [
    row.critical.length && "on the critical path",
    row.failure && `failed: ${row.failure}`,
    row.cold && "waited for a cold start",
    row.late_ms && `ended ${ms(row.late_ms)} after the client had its answer`,
  ];
  return said.filter(Boolean).join("; ") || null;
}

const who = (row) =>
  el(
    "div",
    { class: "who", style: { "--depth": Math.min(row.depth, DEEPEST) } },
    el("span", { class: "toggle", "aria-hidden": "true" }, row.children ? "▾" : ""),
    el("i", { class: `dot ${colour(row.service)}` }),
    row.depth > DEEPEST ? el("small", { class: "depth" }, String(row.depth)) : "",
    el(
      "span",
      { class: "text", title: `${row.owner} ${row.name}${row.target ? ` → ${row.target}` : ""}` },
      el("b", {}, name(row.owner)),
      " ",
      name(row.name),
      row.target ? el("span", { class: "target" }, " → ", name(row.target)) : "",
    ),
    row.cold ? pill("cold", "warn") : "",
  );

function bar(row, scale) {
  const end = row.start_ms + row.duration_ms,
    beyond = row.start_ms > scale.to,
    [left, right] = [scale.at(row.start_ms), scale.at(end)];
  const inside = (at) => (right > left ? (100 * (scale.at(at) - left)) / (right - left) : 0);
  const part = (kind, from, to, more = {}) =>
    from > scale.to
      ? ""
      : el("i", {
          class: kind,
          style: { left: `${inside(from)}%`, width: `${inside(to) - inside(from)}%` },
          ...more,
        });
  return el(
    "div",
    {
      class: `bar ${colour(row.service)}${beyond ? " beyond" : end > scale.to ? " cut" : ""}`,
      title: end > scale.to ? `until ${ms(end)}` : null,
      style: beyond ? {} : { left: `${left}%`, width: `${right - left}%` },
    },
    row.work.map(([from, to]) => part("work", from, to)),
    row.dark.map((gap) => part("dark", gap.from_ms, gap.to_ms, explained(gap))),
    row.critical.map(([from, to]) => part("critical", from, to)),
  );
}

const explained = (gap) => ({
  role: "img",
  title: gap.sentence,
  "aria-label": `${ms(gap.to_ms - gap.from_ms)} dark: ${gap.sentence}`,
});

/** One log entry in a line. */
export const logLine = (line) =>
  el(
    "p",
    { class: `log ${line.tone}` },
    el("span", { class: "number" }, line.at_ms == null ? "" : ms(line.at_ms)),
    el("b", {}, line.severity),
    el("span", {}, name(line.message)),
  );
