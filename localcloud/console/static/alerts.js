// The alerts that fired, each with what its policy tells whoever is on call, its traces and its log entries.

import { poll } from "./api.js";
import { arrange, el, notice, pill } from "./dom.js";
import { ago, time } from "./format.js";
import { documentText } from "./links.js";

/** The view of /alerts. */
export function alerts(place, parameters, signal) {
  const list = el("ul", { class: "alert-list", "aria-label": "Alerts" }),
    none = el("p", { class: "summary", role: "status" }),
    policies = el("section"),
    made = new Map();
  place.append(el("h1", {}, "Alerts"), none, list, policies);
  poll(
    () => "/blueprint/alerts",
    (found) => {
      none.textContent = found.alerts.length ? "" : "No alert has fired.";
      arrange(
        list,
        found.alerts.map((alert) => {
          const key = JSON.stringify(alert),
            known = made.get(alert.name);
          if (known?.key !== key) made.set(alert.name, { key, item: item(alert) });
          return made.get(alert.name).item;
        }),
      );
      policies.replaceChildren(policyTable(found.policies));
    },
    (error) => none.replaceChildren(notice(error.message, "bad")),
    signal,
  );
}

function item(alert) {
  const open = alert.state === "OPEN",
    labels = Object.entries(alert.log?.extractedLabels ?? {}),
    fired = Date.parse(alert.openTime);
  return el(
    "li",
    { class: open ? "open" : "closed" },
    el(
      "div",
      { class: "title" },
      el("h2", {}, alert.policy.displayName),
      pill(
        alert.policy.severity ?? "no severity",
        alert.policy.severity === "CRITICAL" || alert.policy.severity === "ERROR" ? "bad" : "warn",
      ),
      pill(alert.state, open ? "bad" : "none"),
      el("time", { datetime: alert.openTime, title: alert.openTime }, `${time(fired)}, ${ago(fired)}`),
    ),
    labels.length
      ? el(
          "dl",
          { class: "labels" },
          labels.map(([key, value]) => el("div", {}, el("dt", {}, key), el("dd", {}, value))),
        )
      : "",
    el(
      "p",
      { class: "actions" },
      alert.traceIds.map((id, index) =>
        el(
          "a",
          { href: `/traces/${id}`, class: index ? null : "primary" },
          index ? `Trace ${id.slice(0, 8)}…` : `Its trace ${id.slice(0, 8)}…`,
        ),
      ),
      el("a", { href: `/logs?${new URLSearchParams({ query: alert.query })}` }, "Its log entries"),
      alert.insertId
        ? el(
            "a",
            { href: `/logs?${new URLSearchParams({ query: `insertId="${alert.insertId}"` })}` },
            "The entry that opened it",
          )
        : "",
    ),
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

function policyTable(policies) {
  return el(
    "div",
    {},
    el("h2", {}, "Policies"),
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
            ["Policy", "Severity", "Watches"].map((name) => el("th", { scope: "col" }, name)),
          ),
        ),
        el(
          "tbody",
          {},
          policies.map((policy) =>
            el(
              "tr",
              {},
              el("td", {}, policy.displayName, policy.enabled ? "" : " (disabled)"),
              el("td", {}, policy.severity),
              el(
                "td",
                {},
                policy.query == null
                  ? "metrics by PromQL: nothing evaluates them on a local cloud"
                  : el("a", { href: `/logs?${new URLSearchParams({ query: policy.query })}` }, "log entries"),
              ),
            ),
          ),
        ),
      ),
    ),
  );
}
