// What is deployed: services with their addresses, all resources by type, and who has which role on what.

import { poll } from "./api.js";
import { become } from "./become.js";
import { note } from "./deployment.js";
import { address, el, logsOf, name, row, table } from "./dom.js";
import { count } from "./format.js";
import { colour } from "./palette.js";

/** The view of /resources. */
export function resources(place, parameters, signal) {
  const running = el("section"),
    granted = el("section"),
    all = el("section");
  place.append(el("h1", {}, "Resources"), running, granted, all);
  poll(
    () => "/blueprint.json",
    (about) => {
      note(about);
      become(running, services(about.services));
    },
    signal,
  );
  poll(
    () => "/blueprint/resources",
    (stack) => {
      become(granted, grants(stack.grants));
      become(all, everything(stack.resources));
    },
    signal,
  );
}

const section = (title, columns, rows) => [
  el("h2", {}, title),
  rows.length ? table(columns, rows) : el("p", { class: "dim" }, "none"),
];

const services = (list) =>
  section(
    "Services",
    ["Service", "Address", "Traces", "Logs"],
    list.map(({ name: service, url }) =>
      row(
        [
          ["", el("i", { class: `dot ${colour(service)}` }), el("b", {}, name(service))],
          el("a", { href: url, target: "_blank", rel: "noreferrer" }, url),
          el("a", { href: address("/traces", { service }) }, "traces"),
          el("a", { href: logsOf(`resource.labels.service_name:"${service}"`) }, "logs"),
        ],
        { "data-key": service },
      ),
    ),
  );

const grants = (list) =>
  section(
    "Who may do what",
    ["Who", "Role", "On"],
    list.map(({ who, role, on }) =>
      row([name(who.replace(/^serviceAccount:/, "")), el("code", {}, role), name(on)]),
    ),
  );

function everything(list) {
  const types = Map.groupBy(list, (each) => each.type);
  return [
    el("h2", {}, count(list.length, "resource")),
    [...types].map(([type, found]) =>
      el(
        "details",
        { open: found.length < 6, "data-key": type },
        el("summary", {}, el("code", {}, type), ` ${found.length}`),
        el("ul", { class: "stack-list" }, found.map(resource)),
      ),
    ),
  ];
}

const resource = (each) =>
  el(
    "li",
    { "data-key": each.name },
    el("b", {}, name(each.name)),
    el(
      "dl",
      { class: "labels" },
      Object.entries(each.inputs).map(([key, value]) =>
        el("div", {}, el("dt", {}, key), el("dd", {}, name(value))),
      ),
    ),
  );
