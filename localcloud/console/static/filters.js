// The filter of the list of traces: its form, and its form in the address.

import { el } from "./dom.js";

const FIELDS = ["service", "status", "min_ms", "kept", "text", "page"];
const STATUSES = [
  ["", "Any status"],
  ["ok", "Ok"],
  ["error", "Any span failed"],
  ...["5xx", "4xx", "504", "503", "500", "429", "404"].map((each) => [each, each]),
];
const TYPING_MS = 200;

/** What the address asks for. */
export function asked() {
  const given = new URLSearchParams(location.search);
  return Object.fromEntries(FIELDS.map((field) => [field, given.getAll(field).join(",")]));
}

/** The same as a query. */
export function query(values) {
  const pairs = Object.entries(values).flatMap(([field, value]) =>
    (field === "service" ? value.split(",") : [value]).map((each) => [field, each]),
  );
  return new URLSearchParams(pairs.filter(([, value]) => value));
}

/** The form, which calls `change(values)`, and `offer`, which takes what there is to choose from. */
export function filterForm(wanted, change, signal) {
  const service = el("select", { id: "f-service" }, options([["", "All services"]], wanted.service)),
    status = el("select", { id: "f-status" }, options(STATUSES, wanted.status)),
    least = number(wanted.min_ms),
    kept = el("select", { id: "f-kept" }, options([["", "Any reason"]], wanted.kept)),
    text = search(wanted.text);
  const values = () => ({
    service: service.value,
    status: status.value,
    min_ms: least.value.trim(),
    kept: kept.value,
    text: text.value.trim(),
    page: "",
  });
  const form = el(
    "form",
    { class: "filters", role: "search", ...listeners(() => change(values()), signal) },
    field("Service", service),
    field("Status", status),
    field("At least, ms", least),
    field("Kept because", kept),
    field("Contains", text, "wide"),
    el("button", { type: "reset" }, "Clear"),
  );
  const offer = (found) => {
    refill(service, ["", "All services"], found.services);
    refill(kept, ["", "Any reason"], found.kept);
  };
  return { form, offer };
}

/** Each choice at once, and what is typed as soon as the typing pauses, unless the view is left by then. */
function listeners(changed, signal) {
  let typing;
  const now = () => {
    clearTimeout(typing);
    changed();
  };
  signal.addEventListener("abort", () => clearTimeout(typing));
  return {
    onsubmit: (event) => {
      event.preventDefault();
      now();
    },
    onchange: now,
    oninput: (event) => {
      clearTimeout(typing);
      if (event.target.matches("input")) typing = setTimeout(changed, TYPING_MS);
    },
    onclick: (event) => {
      if (event.target.type !== "reset") return;
      event.preventDefault();
      for (const input of event.currentTarget.elements) if (input.type !== "reset") input.value = "";
      now();
    },
  };
}

const number = (value) =>
  el("input", { id: "f-min", inputmode: "decimal", size: 7, value, placeholder: "0" });
const search = (value) =>
  el("input", { id: "f-text", type: "search", value, placeholder: "name, path, attribute or trace id" });
const field = (label, input, size = "") =>
  el("div", { class: `field ${size}` }, el("label", { for: input.id }, label), input);

/** Several services, as an address may name, are one choice. */
function options(choices, chosen) {
  const known = choices.some(([value]) => value === chosen)
    ? choices
    : [...choices, [chosen, chosen.replaceAll(",", ", ")]];
  return known.map(([value, label]) => el("option", { value, selected: value === chosen }, label));
}

function refill(select, all, names) {
  const made = options([all, ...names.map((each) => [each, each])], select.value),
    same =
      made.length === select.options.length &&
      made.every((option, index) => option.value === select.options[index].value);
  if (!same) select.replaceChildren(...made);
}
