// The page's beginning: which view shows which address, and what the header says.

import { alerts } from "./alerts.js";
import { poll, read } from "./api.js";
import { el } from "./dom.js";
import { logs } from "./logs.js";
import { map } from "./map.js";
import { learn } from "./palette.js";
import { resources } from "./resources.js";
import { start } from "./router.js";
import { trace } from "./trace.js";
import { traces } from "./traces.js";

const about = await read("/blueprint.json").catch(() => ({ project: "", region: "", services: [] }));
learn(about.services.map((service) => service.name).sort());
document.getElementById("where").textContent = [about.project, about.region].filter(Boolean).join(" · ");

start([
  [/^\/(?:traces)?$/, "traces", traces],
  [/^\/traces\/(?!list$|explorer$)([^/;]+)$/, "traces", trace],
  [/^\/map$/, "map", map],
  [/^\/alerts$/, "alerts", alerts],
  [/^\/logs$/, "logs", logs],
  [/^\/resources$/, "resources", resources],
]);

const badge = document.getElementById("alert-count");
poll(
  () => "/blueprint/alerts",
  ({ alerts }) => {
    const open = alerts.filter((alert) => alert.state === "OPEN").length;
    badge.hidden = !open;
    badge.replaceChildren(String(open), el("span", { class: "sr" }, " open"));
  },
  () => {},
  new AbortController().signal,
  5000,
);
