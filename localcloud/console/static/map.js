// The service map: who calls whom, how often, how fast and how well, as a drawing and as a table.

import { poll } from "./api.js";
import { el, notice, svg } from "./dom.js";
import { count, ms, percent } from "./format.js";
import { layers } from "./layers.js";
import { colour } from "./palette.js";
import { go, setQuery } from "./router.js";

const CLIENTS = "clients",
  SPANS = [
    ["", "all traces in the store"],
    ["5", "the last 5 minutes"],
    ["60", "the last hour"],
  ];

/** The view of /map. */
export function map(place, parameters, signal) {
  const asked = new URLSearchParams(location.search).get("minutes") ?? "";
  const choice = el(
    "select",
    {
      id: "m-minutes",
      onchange: () => {
        setQuery(choice.value ? { minutes: choice.value } : {});
        look();
      },
    },
    SPANS.map(([value, label]) => el("option", { value, selected: value === asked }, label)),
  );
  const drawing = el("div", {
      class: "scroll map",
      tabindex: "0",
      role: "region",
      "aria-label": "Drawing of the service map",
    }),
    tables = el("div", { class: "tables" });
  place.append(
    el(
      "div",
      { class: "bar-top" },
      el("h1", {}, "Service map"),
      el("div", { class: "field" }, el("label", { for: "m-minutes" }, "Of"), choice),
    ),
    drawing,
    tables,
  );
  const look = poll(
    () => `/blueprint/map${choice.value ? `?minutes=${choice.value}` : ""}`,
    (found) => {
      if (!found.nodes.length) {
        drawing.replaceChildren(notice("No calls in this time."));
        tables.replaceChildren();
        return;
      }
      drawing.replaceChildren(draw(found));
      tables.replaceChildren(nodeTable(found), edgeTable(found));
    },
    (error) => drawing.replaceChildren(notice(error.message, "bad")),
    signal,
  );
}

function draw({ nodes, edges, traces }) {
  const named = edges.map((edge) => ({ ...edge, from: edge.from || CLIENTS }));
  const all = named.some((edge) => edge.from === CLIENTS)
    ? [{ name: CLIENTS, kind: "clients" }, ...nodes]
    : nodes;
  const { places, width, height, node } = layers(all, named);
  return svg(
    "svg",
    {
      style: { "max-width": `${width}px`, "min-width": `${Math.round(0.8 * width)}px` },
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": `${count(nodes.length, "node")} and ${count(edges.length, "edge")} of ${count(traces, "trace")}; the tables below say the same`,
    },
    named.map((edge) => line(edge, places, node)),
    all.map((each) => box(each, places.get(each.name), node)),
    named.map((edge) => label(edge, places, node)),
  );
}

const failing = (edge) => edge.errors > 0;

function ends({ from, to }, places, node) {
  const a = places.get(from),
    b = places.get(to),
    back = b.x <= a.x;
  return {
    x1: a.x + (back ? node.width / 2 : node.width),
    y1: a.y + (back ? node.height : node.height / 2),
    x2: b.x + (back ? node.width / 2 : 0),
    y2: b.y + (back ? node.height : node.height / 2),
    back,
  };
}

function line(edge, places, node) {
  const { x1, y1, x2, y2, back } = ends(edge, places, node),
    bend = back ? 0 : Math.max(30, (x2 - x1) / 2),
    dip = back ? 50 : 0;
  return svg("path", {
    class: `edge${failing(edge) ? " bad" : ""}`,
    d: `M${x1},${y1} C${x1 + bend},${y1 + dip} ${x2 - bend},${y2 + dip} ${x2},${y2}`,
    "stroke-width": Math.min(6, 1.5 + Math.log10(edge.calls)),
  });
}

function label(edge, places, node) {
  const { x1, y1, x2, y2, back } = ends(edge, places, node),
    x = (x1 + x2) / 2,
    y = (y1 + y2) / 2 + (back ? 36 : 0);
  return svg(
    "g",
    { class: `edge-label${failing(edge) ? " bad" : ""}` },
    svg("text", { x, y: y - 8 }, `${edge.calls.toLocaleString("en")} × ${ms(edge.p50_ms)}`),
    failing(edge) ? svg("text", { x, y: y + 17 }, count(edge.errors, "error")) : "",
  );
}

function box(node, at, size) {
  const service = node.kind === "service",
    title = short(node.name);
  const shape = svg(
    "g",
    {
      class: `node ${node.kind}${node.errors ? " bad" : ""}`,
      transform: `translate(${at.x},${at.y})`,
      onclick: service && (() => go(`/traces?${new URLSearchParams({ service: node.name })}`)),
    },
    svg("rect", { width: size.width, height: size.height, rx: node.kind === "bucket" ? 4 : 10 }),
    svg("rect", {
      class: `stripe ${service ? colour(node.name) : "c-platform"}`,
      width: 5,
      height: size.height - 16,
      x: 8,
      y: 8,
      rx: 2.5,
    }),
    svg("text", { class: "name", x: 22, y: 24 }, title),
    svg(
      "text",
      { x: 22, y: 43 },
      node.kind === "clients"
        ? "outside"
        : [
            node.kind === "service" ? "" : node.kind,
            rate(node),
            node.errors ? `${percent(node.error_share)} errors` : "",
          ]
            .filter(Boolean)
            .join(" · "),
    ),
    svg("title", {}, node.name),
  );
  return shape;
}

/** Bucket names begin with the project's. */
function short(name) {
  const own = name.startsWith(`${project()}-`) ? name.slice(project().length + 1) : name;
  return own.length > 20 ? `${own.slice(0, 8)}…${own.slice(-10)}` : own;
}

const project = () => document.getElementById("where").textContent.split(" ")[0];

const rate = (node) =>
  node.per_minute == null || !isFinite(node.per_minute)
    ? count(node.requests, "request")
    : `${node.per_minute < 10 ? node.per_minute.toFixed(1) : Math.round(node.per_minute).toLocaleString("en")}/min`;

function nodeTable({ nodes }) {
  return el(
    "div",
    {},
    el("h2", {}, "Nodes"),
    el(
      "div",
      { class: "scroll" },
      el(
        "table",
        { class: "list" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            ["Name", "Kind", "Requests", "Per minute", "Errors"].map((name, at) =>
              el("th", { scope: "col", class: at > 1 && "number" }, name),
            ),
          ),
        ),
        el(
          "tbody",
          {},
          nodes.map((node) =>
            el(
              "tr",
              { class: node.errors ? "bad" : null },
              el(
                "td",
                {},
                node.kind === "service"
                  ? el(
                      "a",
                      { href: `/traces?${new URLSearchParams({ service: node.name })}` },
                      el("i", { class: `dot ${colour(node.name)}` }),
                      node.name,
                    )
                  : node.name,
              ),
              el("td", {}, node.kind),
              el("td", { class: "number" }, node.requests.toLocaleString("en")),
              el("td", { class: "number" }, node.per_minute == null ? "" : node.per_minute.toFixed(1)),
              el("td", { class: "number" }, `${node.errors} (${percent(node.error_share)})`),
            ),
          ),
        ),
      ),
    ),
  );
}

function edgeTable({ edges }) {
  return el(
    "div",
    {},
    el("h2", {}, "Calls"),
    el(
      "div",
      { class: "scroll" },
      el(
        "table",
        { class: "list" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            ["From", "To", "Calls", "Errors", "p50"].map((name, at) =>
              el("th", { scope: "col", class: at > 1 && "number" }, name),
            ),
          ),
        ),
        el(
          "tbody",
          {},
          edges.map((edge) =>
            el(
              "tr",
              { class: edge.errors ? "bad" : null },
              el("td", {}, edge.from || CLIENTS),
              el("td", {}, edge.to),
              el("td", { class: "number" }, edge.calls.toLocaleString("en")),
              el("td", { class: "number" }, String(edge.errors)),
              el("td", { class: "number" }, ms(edge.p50_ms)),
            ),
          ),
        ),
      ),
    ),
  );
}
