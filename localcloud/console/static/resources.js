// What is deployed: services with their addresses, all resources by type, and who has which role on what.

import { read } from "./api.js";
import { el, notice } from "./dom.js";
import { count } from "./format.js";
import { colour } from "./palette.js";

/** The view of /resources. */
export async function resources(place, parameters, signal) {
  try {
    const [about, stack] = await Promise.all([
      read("/blueprint.json", { signal }),
      read("/blueprint/resources", { signal }),
    ]);
    place.append(
      el("h1", {}, "Resources"),
      services(about.services),
      grants(stack.grants),
      everything(stack.resources),
    );
  } catch (error) {
    if (!signal.aborted) place.append(notice(error.message, "bad"));
  }
}

const table = (caption, columns, rows) =>
  el(
    "section",
    {},
    el("h2", {}, caption),
    rows.length
      ? el(
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
                columns.map((name) => el("th", { scope: "col" }, name)),
              ),
            ),
            el("tbody", {}, rows),
          ),
        )
      : el("p", { class: "dim" }, "none"),
  );

const services = (list) =>
  table(
    "Services",
    ["Service", "Address", "Traces", "Logs"],
    list.map(({ name, url }) =>
      el(
        "tr",
        {},
        el("td", {}, el("i", { class: `dot ${colour(name)}` }), el("b", {}, name)),
        el("td", {}, el("a", { href: url, target: "_blank", rel: "noreferrer" }, url)),
        el("td", {}, el("a", { href: `/traces?${new URLSearchParams({ service: name })}` }, "traces")),
        el(
          "td",
          {},
          el(
            "a",
            { href: `/logs?${new URLSearchParams({ query: `resource.labels.service_name:"${name}"` })}` },
            "logs",
          ),
        ),
      ),
    ),
  );

const grants = (list) =>
  table(
    "Who may do what",
    ["Who", "Role", "On"],
    list.map(({ who, role, on }) =>
      el(
        "tr",
        {},
        el("td", {}, who.replace(/^serviceAccount:/, "")),
        el("td", {}, el("code", {}, role)),
        el("td", {}, on),
      ),
    ),
  );

function everything(list) {
  const types = new Map();
  for (const each of list) types.set(each.type, [...(types.get(each.type) ?? []), each]);
  return el(
    "section",
    {},
    el("h2", {}, count(list.length, "resource")),
    [...types].map(([type, found]) =>
      el(
        "details",
        { open: found.length < 6 },
        el("summary", {}, el("code", {}, type), ` ${found.length}`),
        el(
          "ul",
          { class: "stack-list" },
          found.map((each) =>
            el(
              "li",
              {},
              el("b", {}, each.name),
              el(
                "dl",
                { class: "labels" },
                Object.entries(each.inputs).map(([key, value]) =>
                  el("div", {}, el("dt", {}, key), el("dd", {}, value)),
                ),
              ),
            ),
          ),
        ),
      ),
    ),
  );
}
