// Times that grow old while they are read: each is written anew as the clock moves on, whether or not anything arrives.

import { el } from "./dom.js";
import { ago, time } from "./format.js";

/** When something was, and how long ago that is. */
export const since = (timestamp) =>
  el("time", { datetime: timestamp, title: timestamp, class: "since" }, words(timestamp));

const words = (timestamp) => `${time(Date.parse(timestamp))}, ${ago(Date.parse(timestamp))}`;

/** Keep all of them right. */
export function wind() {
  setInterval(() => {
    for (const element of document.hidden ? [] : document.querySelectorAll("time.since")) {
      const text = words(element.dateTime);
      if (element.textContent !== text) element.textContent = text;
    }
  }, 1000);
}
