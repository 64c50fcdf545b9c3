// What is wrong, in one sentence above the view, and whether the local cloud answers at all.

import { notice } from "./dom.js";

const told = new Map();

/** Say what is wrong with what `source` shows, or nothing any more. A sentence that stands is not said again. */
export function problem(source, text) {
  if (text) told.set(source, text);
  else told.delete(source);
  const place = document.getElementById("problem"),
    first = told.values().next().value ?? "";
  if (place.textContent !== first) place.replaceChildren(...(first ? [notice(first, "bad")] : []));
}

/** The header's word for a local cloud that does not answer. */
export function connected(yes) {
  const place = document.getElementById("connection"),
    text = yes ? "" : "not reachable";
  if (place.textContent !== text) place.textContent = text;
}
