// The log explorer: a query in the Logging query language, and the entries that match, newest first.

import { read } from "./api.js";
import { el, notice, pill } from "./dom.js";
import { setQuery } from "./router.js";

const EXAMPLES = [
  "severity>=WARNING",
  "httpRequest.status>=500",
  'logName:"requests"',
  'jsonPayload.event="request_failed"',
];
const PAGE = 100;

/** The view of /logs. */
export async function logs(place, parameters, signal) {
  const about = await read("/blueprint.json", { signal }).catch(() => null);
  if (signal.aborted || !about) return;
  const asked = new URLSearchParams(location.search).get("query") ?? "";
  const input = el("textarea", {
    id: "l-query",
    rows: Math.min(8, Math.max(2, asked.split("\n").length)),
    spellcheck: "false",
    onkeydown: (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
    },
  });
  input.value = asked;
  const answer = el("div", { class: "entries" }),
    status = el("p", { class: "summary", role: "status" }),
    more = el("nav", { class: "pages", "aria-label": "Pages" });
  place.append(
    el("h1", { class: "sr" }, "Logs"),
    el(
      "form",
      {
        class: "query",
        onsubmit: (event) => {
          event.preventDefault();
          run();
        },
      },
      el("label", { for: "l-query" }, "Query, in the Logging query language"),
      input,
      el(
        "div",
        { class: "examples" },
        el("button", { type: "submit", class: "primary" }, "Run query"),
        el("span", { class: "hint" }, "Ctrl+Enter"),
        EXAMPLES.map((text) =>
          el(
            "button",
            {
              type: "button",
              class: "example",
              onclick: () => {
                input.value = text;
                run();
              },
            },
            text,
          ),
        ),
      ),
    ),
    status,
    answer,
    more,
  );

  async function run(token) {
    const query = input.value.trim();
    if (!token) setQuery(query ? { query } : {});
    try {
      const body = {
        resourceNames: [`projects/${about.project}`],
        filter: query,
        orderBy: "timestamp desc",
        pageSize: PAGE,
        ...(token && { pageToken: token }),
      };
      const { entries = [], nextPageToken } = await read("/v2/entries:list", {
        method: "POST",
        body,
        signal,
      });
      const made = entries.map(entry);
      if (token) answer.append(...made);
      else answer.replaceChildren(...made);
      const shown = answer.querySelectorAll("details").length;
      status.textContent = shown
        ? `${shown} entries${nextPageToken ? ", and older ones" : ""}, newest first`
        : "No entry matches.";
      more.replaceChildren(
        nextPageToken
          ? el("button", { type: "button", onclick: () => run(nextPageToken) }, "Older entries")
          : "",
      );
    } catch (error) {
      if (signal.aborted) return;
      status.textContent = "";
      answer.replaceChildren(notice(error.message, "bad"));
      more.replaceChildren();
    }
  }
  run();
}

function entry(found) {
  const service = found.resource?.labels?.service_name ?? "",
    traceId = (found.trace ?? "").split("/").pop();
  const tone = /ERR|CRIT|ALERT|EMERG/.test(found.severity)
    ? "bad"
    : found.severity === "WARNING"
      ? "warn"
      : found.severity === "INFO" || found.severity === "NOTICE"
        ? "good"
        : "none";
  const details = el(
    "details",
    {
      class: tone,
      ontoggle: () => {
        if (details.open && !details.querySelector("pre")) details.append(whole(found, traceId));
      },
    },
    el(
      "summary",
      {},
      el("time", { datetime: found.timestamp, title: found.timestamp }, clock(found.timestamp)),
      pill(found.severity, tone),
      el("b", {}, service),
      el("span", { class: "message" }, message(found)),
    ),
  );
  return details;
}

function whole(found, traceId) {
  return el(
    "div",
    { class: "whole" },
    traceId
      ? el(
          "p",
          {},
          el("a", { href: `/traces/${traceId}${found.spanId ? `?span=${found.spanId}` : ""}` }, "Its trace"),
        )
      : "",
    el("pre", { tabindex: "0" }, JSON.stringify(found, null, 2)),
  );
}

function message({ textPayload, jsonPayload, httpRequest }) {
  if (textPayload || jsonPayload?.message) return textPayload ?? jsonPayload.message;
  if (httpRequest)
    return [httpRequest.requestMethod, httpRequest.status, httpRequest.latency, httpRequest.requestUrl]
      .filter(Boolean)
      .join("  ");
  return JSON.stringify(jsonPayload ?? {});
}

/** Local time of day with milliseconds. */
function clock(timestamp) {
  const at = new Date(timestamp);
  return `${at.toLocaleTimeString(undefined, { hour12: false })}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}
