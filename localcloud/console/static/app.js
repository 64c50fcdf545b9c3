// The page's beginning: which view shows which address, and what the header says.

import { alerts } from "./alerts.js";
import { poll } from "./api.js";
import { wind } from "./clock.js";
import { note, refresh } from "./deployment.js";
import { el } from "./dom.js";
import { logs } from "./logs.js";
import { map } from "./map.js";
import { resources } from "./resources.js";
import { start } from "./router.js";
import { trace } from "./trace.js";
import { traces } from "./traces.js";

const always = new AbortController().signal;
// Colours go by the deployment's services: they are known before anything is drawn, or never mind.
await refresh(always).catch(() => {});
wind();

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
  () => "/blueprint/alerts/count",
  ({ open }) => {
    badge.hidden = !open;
    badge.replaceChildren(String(open), el("span", { class: "sr" }, " open"));
  },
  always,
  { quiet: true, every: 5000 },
);
poll(() => "/blueprint.json", note, always, { quiet: true, every: 5000 });
