// The waterfall: a tree of spans with a bar for each on a common axis of time, and the log entries of none of them below.
// What arrives later changes it in place. The browser skips what is out of sight, so a thousand rows cost little.

import { axis, lines, scaleOf, ticks } from "./axis.js";
import { become } from "./become.js";
import { el, name } from "./dom.js";
import { count } from "./format.js";
import { colour } from "./palette.js";
import { item, logLine } from "./spanrow.js";
import { TreeKeys } from "./treekeys.js";

const MUCH_LONGER = 5,
  LONGER = 1.02;

/** `state` holds what outlives a picture: collapsed, focused and selected spans, toggles and zoom. `select(id)` opens a span. */
export function waterfall(state, select) {
  const parts = frame();
  let picture;
  const redraw = () => draw(parts, picture, state, keys, redraw),
    keys = new TreeKeys(parts.tree, state, select, redraw);
  return {
    element: parts.element,
    update: (found) => {
      picture = found;
      redraw();
    },
    mark: (id) => keys.mark(id),
    focus: (id) => keys.focus(id),
    reveal: (id) => keys.reveal(id),
    row: (id) => keys.row(id),
  };
}

function frame() {
  const tools = el("div", { class: "tools" }),
    head = el("div", { class: "axis" }),
    behind = el("div", { class: "lines behind" }),
    tree = el("div", { role: "tree", "aria-label": "Spans" }),
    before = el("div", { class: "lines" }),
    rest = el("div", { class: "unplaced" });
  const element = el(
    "section",
    { class: "waterfall", "aria-label": "Waterfall" },
    tools,
    head,
    el("div", { class: "rows" }, behind, tree, before),
    rest,
    el("p", { class: "hint" }, "↑ ↓ move, ← → fold, Home End, Enter for details, Escape closes them"),
  );
  return { element, tools, head, behind, tree, before, rest };
}

function draw(parts, picture, state, keys, redraw) {
  const scale = scaleOf(picture, zoomed(picture, state)),
    focused = parts.tree.contains(document.activeElement);
  parts.tree.className = ["tree", ...state.toggled].join(" ");
  become(parts.tools, toolbar(picture, state, keys, redraw));
  become(parts.head, axis(picture, scale));
  become(parts.behind, ticks(scale));
  become(
    parts.tree,
    picture.rows.map((row) => item(row, scale)),
  );
  become(parts.before, lines(picture, scale));
  become(parts.rest, unplaced(picture.logs));
  keys.update(picture.rows, focused);
}

/** Whether the axis ends with the client's wait: as chosen, else if background work would make that a sliver. */
const zoomed = ({ wait_ms: wait, total_ms: total }, { zoom }) =>
  wait > 0 && total > LONGER * wait && (zoom ?? total > MUCH_LONGER * wait);

function toolbar(picture, state, keys, redraw) {
  const toggle = (key, text) =>
    pressed(key, text, state.toggled.has(key), (event) => keys.toggle(key, event.target));
  const zoom = () =>
    pressed("zoom", "Client's wait", zoomed(picture, state), () => {
      state.zoom = !zoomed(picture, state);
      redraw();
    });
  const early = picture.rows.filter((row) => !row.waited_for).length;
  return [
    el("h2", {}, "Waterfall"),
    toggle("path-only", "Critical path"),
    toggle("no-logs", "Hide logs"),
    el("button", { type: "button", onclick: () => keys.foldAll(false) }, "Expand"),
    el("button", { type: "button", onclick: () => keys.foldAll(true) }, "Collapse"),
    picture.wait_ms > 0 && picture.total_ms > LONGER * picture.wait_ms ? zoom() : [],
    early ? toggle("with-starts", count(early, "earlier start")) : [],
    legend(picture),
  ];
}

const pressed = (key, text, on, onclick) =>
  el("button", { type: "button", "data-key": key, "aria-pressed": String(on), onclick }, text);

const legend = ({ services }) =>
  el(
    "ul",
    { class: "legend", "aria-label": "Legend" },
    services.map((service) =>
      el("li", { title: service }, el("i", { class: `dot ${colour(service)}` }), name(service)),
    ),
    el("li", {}, el("i", { class: "sample critical" }), "critical path"),
    el("li", {}, el("i", { class: "sample waiting" }), "waiting"),
    el("li", {}, el("i", { class: "sample dark" }), "dark: no span explains it"),
  );

const unplaced = (logs) =>
  logs.length ? [el("h3", {}, "Log entries of spans that are not in the trace"), logs.map(logLine)] : [];
