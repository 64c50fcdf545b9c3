// The log explorer: a query in the Logging query language, and the entries that match, newest first.

import { read } from "./api.js";
import { deployment, refresh } from "./deployment.js";
import { el, name, notice, pill } from "./dom.js";
import { count } from "./format.js";
import { setQuery } from "./router.js";

const EXAMPLES = [
  "severity>=WARNING",
  "httpRequest.status>=500",
  'logName:"requests"',
  'jsonPayload.event="request_failed"',
];
const PAGE = 100;

/** The view of /logs. */
export function logs(place, parameters, signal) {
  const asked = new URLSearchParams(location.search).get("query") ?? "",
    entries = new Entries(signal),
    run = (query) => {
      setQuery(query ? { query } : {});
      entries.ask(query);
    };
  place.append(el("h1", { class: "sr" }, "Logs"), form(asked, run), ...entries.parts);
  run(asked.trim());
}

class Entries {
  #newest = 0;

  constructor(signal) {
    this.signal = signal;
    this.trouble = el("div");
    this.status = el("p", { class: "summary", role: "status" });
    this.list = el("div", { class: "entries" });
    this.more = el("nav", { class: "pages", "aria-label": "Pages" });
    this.parts = [this.trouble, this.status, this.list, this.more];
  }

  /** What a query finds, in place of what is shown; with the token of its next page, below it. A refusal leaves all. */
  async ask(query, token) {
    const number = ++this.#newest;
    const [found, error] = await ask(query, token, this.signal).then(
      (found) => [found],
      (error) => [null, error],
    );
    // A later query has been asked: what comes of this one is of no interest any more.
    if (this.signal.aborted || number !== this.#newest) return;
    this.trouble.replaceChildren(...(error ? refused(error, () => this.ask(query, token)) : []));
    if (found) this.#show(query, token, found);
  }

  #show(query, token, { entries = [], nextPageToken }) {
    if (!token) this.list.replaceChildren();
    this.list.append(...entries.map(entry));
    const shown = this.list.children.length,
      older = () => this.ask(query, nextPageToken);
    this.status.textContent = shown
      ? `${count(shown, "entry", "entries")}${nextPageToken ? ", and older ones" : ""}, newest first`
      : "No entry matches.";
    this.more.replaceChildren(...(nextPageToken ? [button("Older entries", older)] : []));
  }
}

async function ask(query, token, signal) {
  const { project } = deployment.project ? deployment : await refresh(signal);
  const body = {
    resourceNames: [`projects/${project}`],
    filter: query,
    orderBy: "timestamp desc",
    pageSize: PAGE,
    ...(token && { pageToken: token }),
  };
  return read("/v2/entries:list", { method: "POST", body, signal });
}

const button = (text, onclick, kind) => el("button", { type: "button", class: kind, onclick }, text);
const refused = (error, again) => [
  notice(error.message, "bad"),
  el("p", { class: "pages" }, button("Try again", again)),
];

function form(asked, run) {
  const input = field(asked, () => run(input.value.trim()));
  const example = (text) => {
    const take = () => {
      input.value = text;
      run(text);
    };
    return button(text, take, "example");
  };
  const onsubmit = (event) => {
    event.preventDefault();
    run(input.value.trim());
  };
  return el(
    "form",
    { class: "query", onsubmit },
    el("label", { for: input.id }, "Query, in the Logging query language"),
    input,
    el(
      "div",
      { class: "examples" },
      el("button", { type: "submit", class: "primary" }, "Run query"),
      el("span", { class: "hint" }, "Ctrl+Enter"),
      EXAMPLES.map(example),
    ),
  );
}

function field(asked, run) {
  const rows = Math.min(8, Math.max(2, asked.split("\n").length)),
    onkeydown = (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && run();
  return el("textarea", { id: "l-query", rows, spellcheck: "false", onkeydown }, asked);
}

function entry(found) {
  const tone = toneOf(found.severity),
    details = el(
      "details",
      {
        class: tone,
        ontoggle: () => {
          if (details.open && !details.querySelector("pre")) details.append(whole(found));
        },
      },
      el(
        "summary",
        {},
        el("time", { datetime: found.timestamp, title: found.timestamp }, clock(found.timestamp)),
        pill(found.severity, tone),
        el("b", {}, name(found.resource?.labels?.service_name ?? "")),
        el("span", { class: "message" }, name(message(found))),
      ),
    );
  return details;
}

/** Google's own API answers here, and knows no tones: everywhere else the server says them. */
function toneOf(severity) {
  if (/^(ERROR|CRITICAL|ALERT|EMERGENCY)$/.test(severity)) return "bad";
  return severity === "WARNING" ? "warn" : /^(INFO|NOTICE)$/.test(severity) ? "ok" : "";
}

function whole(found) {
  const id = (found.trace ?? "").split("/").pop(),
    path = `/traces/${id}${found.spanId ? `?span=${found.spanId}` : ""}`;
  return el(
    "div",
    { class: "whole" },
    id ? el("p", {}, el("a", { href: path }, "Its trace")) : "",
    el("pre", { tabindex: "0" }, JSON.stringify(found, null, 2)),
  );
}

function message({ textPayload, jsonPayload, httpRequest }) {
  const said = textPayload || jsonPayload?.message;
  if (said) return typeof said === "string" ? said : JSON.stringify(said);
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
