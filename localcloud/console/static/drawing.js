// The drawing of a service map: boxes for services, buckets and hosts, and a line for who calls whom.

import { deployment } from "./deployment.js";
import { address, svg } from "./dom.js";
import { count, ms, percent, rate } from "./format.js";
import { layers } from "./layers.js";
import { colour } from "./palette.js";
import { go } from "./router.js";

const CLIENTS = { name: "clients", kind: "clients" },
  LONGEST = 20;

/** An SVG of the map's answer. */
export function draw({ nodes, edges, traces }) {
  const named = edges.map((edge) => ({ ...edge, from: edge.from || CLIENTS.name })),
    all = named.some((edge) => edge.from === CLIENTS.name) ? [CLIENTS, ...nodes] : nodes;
  const { places, width, height, node } = layers(all, named);
  const told = `${count(nodes.length, "node")} and ${count(edges.length, "edge")} of ${count(traces, "trace")}`;
  return svg(
    "svg",
    {
      style: { "max-width": `${width}px`, "min-width": `${Math.round(0.8 * width)}px` },
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": `${told}; the tables below say the same`,
    },
    named.map((edge) => line(edge, ends(edge, places, node))),
    all.map((each) => box(each, places.get(each.name), node)),
    named.map((edge) => label(edge, ends(edge, places, node))),
  );
}

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

function line(edge, { x1, y1, x2, y2, back }) {
  const bend = back ? 0 : Math.max(30, (x2 - x1) / 2),
    dip = back ? 50 : 0;
  return svg("path", {
    class: `edge${edge.errors ? " bad" : ""}`,
    d: `M${x1},${y1} C${x1 + bend},${y1 + dip} ${x2 - bend},${y2 + dip} ${x2},${y2}`,
    "stroke-width": Math.min(6, 1.5 + Math.log10(edge.calls)),
  });
}

function label(edge, { x1, y1, x2, y2, back }) {
  const x = (x1 + x2) / 2,
    y = (y1 + y2) / 2 + (back ? 36 : 0);
  return svg(
    "g",
    { class: `edge-label${edge.errors ? " bad" : ""}` },
    svg("text", { x, y: y - 8 }, `${edge.calls.toLocaleString("en")} × ${ms(edge.p50_ms)}`),
    edge.errors ? svg("text", { x, y: y + 17 }, count(edge.errors, "error")) : "",
  );
}

function box(node, at, size) {
  const service = node.kind === "service";
  return svg(
    "g",
    {
      class: `node ${node.kind}${node.errors ? " bad" : ""}`,
      transform: `translate(${at.x},${at.y})`,
      onclick: service ? () => go(address("/traces", { service: node.name })) : null,
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
    svg("text", { class: "name", x: 22, y: 24 }, short(node.name)),
    svg("text", { x: 22, y: 43 }, facts(node)),
    svg("title", {}, node.name),
  );
}

function facts(node) {
  if (node.kind === "clients") return "outside";
  const often = node.per_minute == null ? count(node.requests, "request") : `${rate(node.per_minute)}/min`;
  return [
    node.kind === "service" ? "" : node.kind,
    often,
    node.errors ? `${percent(node.error_share)} errors` : "",
  ]
    .filter(Boolean)
    .join(" · ");
}

/** Bucket names begin with the project's. */
function short(text) {
  const prefix = `${deployment.project}-`,
    own = text.startsWith(prefix) ? text.slice(prefix.length) : text;
  return own.length > LONGEST ? `${own.slice(0, 8)}…${own.slice(-10)}` : own;
}
