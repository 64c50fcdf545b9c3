// One trace: the verdict and the figures, the critical path as one bar, the waterfall, and a span's own page beside it.

import { poll } from "./api.js";
import { el, notice, pill } from "./dom.js";
import { bound, ms, percent, time, tone } from "./format.js";
import { colour } from "./palette.js";
import { panel } from "./panel.js";
import { setQuery } from "./router.js";
import { waterfall } from "./waterfall.js";

const CAUSES = {
  cross_region_storage: "bucket in another region",
  cold_start: "cold start",
  retries: "retries",
  deadline_spent: "deadline spent before",
  queueing: "queueing",
  slow_dependency: "slow dependency",
  own_work: "own work",
  unknown: "unknown",
};

/** The view of /traces/ID. */
export function trace(place, [id], signal) {
  const head = el("section", { class: "head", "aria-label": "Summary" }),
    fall = el("div", { class: "fall" }),
    side = el("div", { class: "side" });
  place.append(
    el(
      "div",
      { class: "path" },
      el("a", { href: "/traces" }, "Traces"),
      " / ",
      el("code", {}, id),
      el(
        "a",
        { class: "aside", href: `/logs?${new URLSearchParams({ query: `trace=~"/traces/${id}$"` })}` },
        "All its log entries",
      ),
    ),
    head,
    el("div", { class: "split" }, fall, side),
  );
  const state = {
    collapsed: new Set(),
    toggled: new Set(),
    focused: "",
    selected: new URLSearchParams(location.search).get("span") ?? "",
  };
  let tree;
  const select = (span, back) => {
    state.selected = span;
    setQuery(span ? { span } : {});
    place.classList.toggle("open", Boolean(span));
    tree?.mark(span);
    panel(side, id, span, () => {
      select("");
      back?.();
    });
  };
  poll(
    () => `/blueprint/traces/${id}`,
    (picture) => {
      document.title = `${picture.status || "Trace"} ${ms(picture.duration_ms)} · localcloud`;
      head.replaceChildren(
        ...summary(picture, (span) => {
          tree.reveal(span);
          select(span, () => tree.focus(span));
        }),
      );
      state.had = fall.contains(document.activeElement);
      tree = waterfall(picture, state, select);
      fall.replaceChildren(tree.element);
      tree.restore();
      if (state.selected && !side.firstChild) select(state.selected);
    },
    (error) => head.replaceChildren(notice(error.message, "bad")),
    signal,
  );
}

function summary(picture, open) {
  const { verdict } = picture;
  return [
    el(
      "div",
      { class: "top" },
      el(
        "div",
        { class: "said" },
        el("h1", { class: "verdict" }, verdict ? bound(verdict.sentence) : "The trace has no spans."),
        verdict
          ? el(
              "p",
              { class: "cause" },
              pill(CAUSES[verdict.cause] ?? verdict.cause, picture.failed ? "bad" : "warn"),
              `${percent(verdict.share)} of the client's wait`,
              picture.verdict_span
                ? el(
                    "button",
                    { type: "button", class: "link", onclick: () => open(picture.verdict_span) },
                    "Show the span",
                  )
                : "",
            )
          : "",
      ),
      el(
        "dl",
        { class: "figures" },
        figure("Duration", ms(picture.duration_ms)),
        figure("Status", picture.status ? pill(String(picture.status), tone(picture.status)) : "none"),
        figure(
          "Dark time",
          ms(picture.dark_ms),
          percent(picture.total_ms ? picture.dark_ms / picture.total_ms : 0),
        ),
        figure("Spans", String(picture.rows.length)),
        figure("Began", time(picture.begin_ms)),
      ),
    ),
    picture.critical_path.length ? pathBar(picture, open) : "",
    el(
      "ul",
      { class: "notes" },
      picture.also.map((sentence) => el("li", {}, `Also: ${bound(sentence)}`)),
      picture.notes.map((note) => el("li", {}, bound(note))),
    ),
  ];
}

const figure = (name, value, note) =>
  el("div", {}, el("dt", {}, name), el("dd", {}, value, note ? el("small", {}, ` ${note}`) : ""));

function pathBar({ critical_path: path, duration_ms: whole }, open) {
  const parts = path.filter((step) => step.share > 0.004);
  return el(
    "div",
    { class: "critical-path" },
    el("h2", {}, `Critical path of the ${ms(whole)} that the client waited`),
    el(
      "div",
      { class: "stack" },
      parts.map((step) =>
        el(
          "button",
          {
            type: "button",
            class: `${colour(step.service)}${step.dark ? " dark" : ""}`,
            style: { "flex-grow": String(1000 * step.share) },
            title: `${step.service} ${step.span}: ${ms(step.self_ms)}, ${percent(step.share)}${step.dark ? ", dark" : ""}`,
            onclick: () => open(step.id),
          },
          el(
            "span",
            { class: step.share < 0.06 ? "sr" : null },
            `${step.service} ${step.span} ${percent(step.share)}`,
          ),
        ),
      ),
    ),
  );
}
