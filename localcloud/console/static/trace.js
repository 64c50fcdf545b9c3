// One trace: the verdict and the figures, the critical path as one bar, the waterfall, and a span's own page beside it.

import { poll } from "./api.js";
import { become } from "./become.js";
import { el, logsOf } from "./dom.js";
import { ms } from "./format.js";
import { panel } from "./panel.js";
import { setQuery } from "./router.js";
import { summary } from "./verdict.js";
import { waterfall } from "./waterfall.js";

/** The view of /traces/ID. Back within it opens and closes spans. */
export function trace(place, [id], signal) {
  const view = new TraceView(place, id);
  poll(
    () => `/blueprint/traces/${id}`,
    (picture) => view.show(picture),
    signal,
    { refused: () => view.clear() },
  );
  return () => view.open(spanOfAddress());
}

class TraceView {
  #head = el("section", { class: "head", "aria-label": "Summary", hidden: true });
  #fall = el("div", { class: "fall" });
  #side = el("div", { class: "side" });
  #said = el("p", { class: "sr", role: "status" });
  #state = { collapsed: new Set(), toggled: new Set(), zoom: null, focused: "", selected: "" };
  #tree = waterfall(this.#state, (span) => this.select(span));

  constructor(place, id) {
    Object.assign(this, { place, id });
    place.append(path(id), this.#head, el("div", { class: "split" }, this.#fall, this.#side), this.#said);
  }

  show(picture) {
    document.title = `${picture.status || "Trace"} ${ms(picture.duration_ms)} · localcloud`;
    this.#head.hidden = false;
    become(
      this.#head,
      summary(picture, (span) => this.#reveal(span)),
    );
    this.#tree.update(picture);
    if (this.#tree.element.isConnected) return;
    this.#fall.append(this.#tree.element);
    this.open(spanOfAddress());
  }

  /** A trace that is not there, or not any more. */
  clear() {
    this.#head.hidden = true;
    this.#tree.element.remove();
    this.place.classList.remove("open");
    panel(this.#side, this.id, "");
  }

  /** As the reader asks: the address goes along, and Back leads to what was open before. */
  select(span) {
    if (span !== this.#state.selected) setQuery(span ? { span } : {}, true);
    this.open(span);
  }

  open(span) {
    const left = !span && this.#side.contains(document.activeElement),
      row = this.#tree.row(span);
    this.#state.selected = span;
    this.place.classList.toggle("open", Boolean(span));
    this.#tree.mark(span);
    this.#said.textContent = row
      ? `Details of ${row.label} are open: Tab leads there, Escape closes them.`
      : "";
    panel(this.#side, this.id, span, row, () => this.select(""));
    if (left) this.#tree.focus(this.#state.focused);
  }

  #reveal(span) {
    this.#tree.reveal(span);
    this.select(span);
  }
}

const spanOfAddress = () => new URLSearchParams(location.search).get("span") ?? "";

const path = (id) =>
  el(
    "div",
    { class: "path" },
    el("a", { href: "/traces" }, "Traces"),
    " / ",
    el("code", {}, id),
    el("a", { class: "aside", href: logsOf(`trace=~"/traces/${id}$"`) }, "All its log entries"),
  );
