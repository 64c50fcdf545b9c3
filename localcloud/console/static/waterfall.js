// The waterfall: spans as items of a tree, each with its bar on a common time axis, and the log lines it wrote below it.
// The browser skips what is out of sight (content-visibility), so a thousand rows cost little.

import { el, pill } from "./dom.js";
import { count, ms, tone } from "./format.js";
import { colour } from "./palette.js";
import { treeKeys } from "./treekeys.js";

const DEEPEST = 18;

/** `state` holds what outlives a new picture: collapsed, focused and selected spans, and toggled buttons. `select(id, back)` opens a span. */
export function waterfall(picture, state, select) {
  const scale = (at) => (100 * at) / (picture.total_ms || 1);
  const items = new Map(picture.rows.map((row) => [row.id, { row, element: item(row, picture, scale) }]));
  const tree = el(
    "div",
    { role: "tree", "aria-label": "Spans", class: ["tree", ...state.toggled].join(" ") },
    [...items.values()].map((each) => each.element),
  );
  const keys = treeKeys(tree, items, state, select);
  const element = el(
    "section",
    { class: "waterfall", "aria-label": "Waterfall" },
    toolbar(picture, state, keys, tree),
    axis(picture, scale),
    el("div", { class: "rows" }, grid(picture, scale), tree, lines(picture, scale)),
    unplaced(picture.logs),
    el("p", { class: "hint" }, "↑ ↓ move, ← → fold, Home End, Enter for details, Escape back"),
  );
  return { element, ...keys };
}

function item(row, picture, scale) {
  const element = el(
    "div",
    {
      role: "treeitem",
      class: `item${row.failed ? " failed" : ""}${row.critical.length ? " on-path" : ""}`,
      tabindex: "-1",
      "data-span": row.id,
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
      el("span", { class: "took number" }, ms(row.duration_ms)),
      el("span", { class: "code" }, row.status ? pill(row.status, tone(row.status)) : ""),
      el("div", { class: "track" }, bar(row, scale)),
    ),
    row.logs.slice(0, 5).map(logLine),
    row.logs.length > 5 ? el("p", { class: "log" }, `and ${row.logs.length - 5} more entries`) : "",
  );
  return element;
}

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

function who(row) {
  return el(
    "div",
    { class: "who", style: { "--depth": Math.min(row.depth, DEEPEST) } },
    el("span", { class: "toggle", "aria-hidden": "true" }, row.children ? "▾" : ""),
    el("i", { class: `dot ${colour(row.service)}` }),
    row.depth > DEEPEST ? el("small", { class: "depth" }, String(row.depth)) : "",
    el(
      "span",
      { class: "text" },
      el("b", {}, row.owner),
      " ",
      row.name,
      row.target ? el("span", { class: "target" }, ` → ${row.target}`) : "",
    ),
    row.cold ? pill("cold", "warn") : "",
  );
}

function bar(row, scale) {
  const inside = (at) => (row.duration_ms ? (100 * (at - row.start_ms)) / row.duration_ms : 0);
  const part = (name, from, to, more = {}) =>
    el("i", {
      class: name,
      style: { left: `${inside(from)}%`, width: `${inside(to) - inside(from)}%` },
      ...more,
    });
  return el(
    "div",
    {
      class: `bar ${colour(row.service)}`,
      style: { left: `${scale(row.start_ms)}%`, width: `${scale(row.duration_ms)}%` },
    },
    row.work.map(([from, to]) => part("work", from, to)),
    row.dark.map((gap) =>
      part("dark", gap.from_ms, gap.to_ms, {
        role: "img",
        title: gap.sentence,
        "aria-label": `${ms(gap.to_ms - gap.from_ms)} dark: ${gap.sentence}`,
      }),
    ),
    row.critical.map(([from, to]) => part("critical", from, to)),
  );
}

const logLine = (line) =>
  el(
    "p",
    { class: `log ${severity(line.severity)}` },
    el("span", { class: "number" }, line.at_ms == null ? "" : ms(line.at_ms)),
    el("b", {}, line.severity),
    el("span", {}, line.message),
  );
const severity = (name) => (/ERR|CRIT|ALERT|EMERG/.test(name) ? "bad" : name === "WARNING" ? "warn" : "");

function axis({ total_ms: total, deadline }, scale) {
  return el(
    "div",
    { class: "axis" },
    el("span", { class: "who" }, "Service and span"),
    el("span", { class: "took" }, "Took"),
    el("span", { class: "code" }, "Status"),
    el(
      "div",
      { class: "track" },
      ticks(total).map((at) => el("span", { class: "tick", style: { left: `${scale(at)}%` } }, ms(at))),
      deadline
        ? el(
            "strong",
            {
              class: `deadline${scale(deadline.at_ms) > 55 ? " left" : ""}`,
              style: { left: `${scale(deadline.at_ms)}%` },
            },
            deadline.label,
          )
        : "",
    ),
  );
}

const grid = ({ total_ms: total }, scale) =>
  el(
    "div",
    { class: "lines behind" },
    ticks(total).map((at) => el("i", { class: "grid", style: { left: `${scale(at)}%` } })),
  );

/** What runs through all rows: the time after the answer, the stretches without any span, and the deadline. */
function lines({ deadline, gaps }, scale) {
  return el(
    "div",
    { class: "lines" },
    gaps
      .filter((gap) => !gap.span)
      .map((gap) =>
        el("i", {
          class: "empty",
          role: "img",
          title: gap.sentence,
          "aria-label": gap.sentence,
          style: { left: `${scale(gap.from_ms)}%`, width: `${scale(gap.to_ms - gap.from_ms)}%` },
        }),
      ),
    deadline
      ? [
          el("i", { class: "after", style: { left: `${scale(deadline.at_ms)}%` } }),
          el("i", {
            class: "deadline",
            role: "img",
            "aria-label": `Deadline: ${deadline.label}`,
            title: deadline.label,
            style: { left: `${scale(deadline.at_ms)}%` },
          }),
        ]
      : "",
  );
}

function ticks(total) {
  const rough = total / 6,
    power = 10 ** Math.floor(Math.log10(rough || 1)),
    step = [1, 2, 5, 10].find((each) => each * power >= rough) * power;
  return Array.from({ length: Math.floor(total / step) + 1 }, (_, index) => index * step).filter(
    (at) => at < total * 0.95,
  );
}

function toolbar(picture, state, keys, tree) {
  const toggle = (name, text) =>
    el(
      "button",
      {
        type: "button",
        "data-toggle": name,
        "aria-pressed": String(state.toggled.has(name)),
        onclick: (event) => {
          const on = tree.classList.toggle(name);
          if (on) state.toggled.add(name);
          else state.toggled.delete(name);
          event.currentTarget.setAttribute("aria-pressed", String(on));
          keys.refresh();
        },
      },
      text,
    );
  const early = picture.rows.filter((row) => !row.waited_for).length;
  return el(
    "div",
    { class: "tools" },
    el("h2", {}, "Waterfall"),
    toggle("path-only", "Critical path"),
    toggle("no-logs", "Hide logs"),
    el("button", { type: "button", onclick: () => keys.all(false) }, "Expand"),
    el("button", { type: "button", onclick: () => keys.all(true) }, "Collapse"),
    early ? toggle("with-starts", count(early, "earlier start")) : "",
    legend(picture),
  );
}

function legend({ services }) {
  return el(
    "ul",
    { class: "legend", "aria-label": "Legend" },
    services.map((name) => el("li", {}, el("i", { class: `dot ${colour(name)}` }), name)),
    el("li", {}, el("i", { class: "sample critical" }), "critical path"),
    el("li", {}, el("i", { class: "sample waiting" }), "waiting"),
    el("li", {}, el("i", { class: "sample dark" }), "dark: no span explains it"),
  );
}

function unplaced(logs) {
  return logs.length
    ? el(
        "div",
        { class: "unplaced" },
        el("h3", {}, "Log entries of spans that are not in the trace"),
        logs.map(logLine),
      )
    : "";
}
