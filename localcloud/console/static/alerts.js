// The alerts that fired, each with what its policy tells whoever is on call, its traces and its log entries.

import { poll } from "./api.js";
import { become } from "./become.js";
import { since } from "./clock.js";
import { el, logsOf, name, pill, row, table } from "./dom.js";
import { documentText } from "./links.js";

/** The view of /alerts. */
export function alerts(place, parameters, signal) {
  const list = el("ul", { class: "alert-list", "aria-label": "Alerts" }),
    none = el("p", { class: "summary", role: "status" }),
    policies = el("section");
  place.append(el("h1", {}, "Alerts"), none, list, policies);
  poll(
    () => "/blueprint/alerts",
    (found) => {
      become(none, found.alerts.length ? [] : "No alert has fired.");
      become(list, found.alerts.map(item));
      become(
        policies,
        el("h2", {}, "Policies"),
        table(["Policy", "Severity", "Watches"], found.policies.map(policy)),
      );
    },
    signal,
  );
}

function item(alert) {
  const open = alert.state === "OPEN",
    labels = Object.entries(alert.log?.extractedLabels ?? {});
  return el(
    "li",
    { class: open ? "open" : "closed", "data-key": alert.name },
    el(
      "div",
      { class: "title" },
      el("h2", {}, name(alert.policy.displayName)),
      pill(alert.policy.severity ?? "no severity", alert.tone),
      pill(alert.state, open ? "bad" : ""),
      since(alert.openTime),
    ),
    labels.length ? el("dl", { class: "labels" }, labels.map(label)) : "",
    el("p", { class: "actions" }, actions(alert)),
    el(
      "details",
      { open: true },
      el("summary", {}, "What to do"),
      el(
        "div",
        { class: "document" },
        alert.document ? documentText(alert.document) : el("p", {}, "The policy has no document."),
      ),
    ),
  );
}

const label = ([key, value]) => el("div", {}, el("dt", {}, name(key)), el("dd", {}, name(value)));

const actions = (alert) => [
  alert.traceIds.map((id, index) =>
    el(
      "a",
      { href: `/traces/${id}`, class: index ? null : "primary", "data-key": id },
      `${index ? "Trace" : "Its trace"} ${id.slice(0, 8)}…`,
    ),
  ),
  el("a", { href: logsOf(alert.query), "data-key": "entries" }, "Its log entries"),
  alert.insertId
    ? el(
        "a",
        { href: logsOf(`insertId="${alert.insertId}"`), "data-key": "entry" },
        "The entry that opened it",
      )
    : "",
];

const policy = ({ displayName, enabled, severity, query }) =>
  row(
    [
      ["", name(displayName), enabled ? "" : " (disabled)"],
      severity,
      query == null
        ? "metrics by PromQL: nothing evaluates them on a local cloud"
        : el("a", { href: logsOf(query) }, "log entries"),
    ],
    { "data-key": displayName },
  );
