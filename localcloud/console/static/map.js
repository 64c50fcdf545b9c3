// The service map: who calls whom, how often, how fast and how well, as a drawing and as a table.

import { poll } from "./api.js";
import { become } from "./become.js";
import { address, el, name, notice, row, table } from "./dom.js";
import { draw } from "./drawing.js";
import { ms, percent, rate } from "./format.js";
import { colour } from "./palette.js";
import { setQuery } from "./router.js";

const TITLE = "Drawing of the service map";
const SPANS = [
  ["", "all traces in the store"],
  ["5", "the last 5 minutes"],
  ["60", "the last hour"],
];

/** The view of /map. */
export function map(place, parameters, signal) {
  const drawing = el("div", { class: "scroll map", tabindex: "0", role: "region", "aria-label": TITLE }),
    tables = el("div", { class: "tables" }),
    choice = minutes(() => {
      setQuery(choice.value ? { minutes: choice.value } : {});
      look();
    });
  place.append(top(choice), drawing, tables);
  const look = poll(
    () => address("/blueprint/map", { minutes: choice.value }),
    (found) => {
      const any = found.nodes.length > 0;
      become(drawing, any ? draw(found) : notice("No calls in this time."));
      become(tables, any ? [nodes(found), calls(found)] : []);
    },
    signal,
    { refused: () => [drawing, tables].forEach((part) => part.replaceChildren()) },
  );
}

const top = (choice) =>
  el(
    "div",
    { class: "bar-top" },
    el("h1", {}, "Service map"),
    el("div", { class: "field" }, el("label", { for: choice.id }, "Of"), choice),
  );

function minutes(onchange) {
  const asked = new URLSearchParams(location.search).get("minutes") ?? "";
  return el(
    "select",
    { id: "m-minutes", onchange },
    SPANS.map(([value, label]) => el("option", { value, selected: value === asked }, label)),
  );
}

const NODES = (minutes) => [
  "Name",
  "Kind",
  ["Requests", "number"],
  [`Per minute, last ${minutes} min`, "number"],
  ["Errors", "number"],
];
const CALLS = ["From", "To", ["Calls", "number"], ["Errors", "number"], ["p50", "number"]];

const nodes = (found) =>
  el(
    "div",
    {},
    el("h2", {}, "Nodes"),
    table(
      NODES(found.rate_minutes),
      found.nodes.map((node) =>
        row(
          [
            node.kind === "service" ? service(node.name) : name(node.name),
            node.kind,
            ["number", node.requests.toLocaleString("en")],
            ["number", rate(node.per_minute)],
            ["number", `${node.errors} (${percent(node.error_share)})`],
          ],
          { class: node.errors ? "bad" : null, "data-key": node.name },
        ),
      ),
    ),
  );

const service = (text) =>
  el(
    "a",
    { href: address("/traces", { service: text }) },
    el("i", { class: `dot ${colour(text)}` }),
    name(text),
  );

const calls = (found) =>
  el(
    "div",
    {},
    el("h2", {}, "Calls"),
    table(
      CALLS,
      found.edges.map((edge) =>
        row(
          [
            name(edge.from || "clients"),
            name(edge.to),
            ["number", edge.calls.toLocaleString("en")],
            ["number", String(edge.errors)],
            ["number", ms(edge.p50_ms)],
          ],
          { class: edge.errors ? "bad" : null, "data-key": JSON.stringify([edge.from, edge.to]) },
        ),
      ),
    ),
  );
