// How durations, shares, times and statuses are written.

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});
const day = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });

/** 1,103 ms; one decimal below 10 ms, seconds from 100 s and hours from 10 h on. */
export function ms(value) {
  const size = Math.abs(value);
  if (size >= 36e6) return `${Math.round(value / 3.6e6).toLocaleString("en")} h`;
  if (size >= 99_999.5) return `${Math.round(value / 1000).toLocaleString("en")} s`;
  // The zero is added to take the sign from a negative one.
  return `${size >= 9.95 || size < 0.05 ? (Math.round(value) + 0).toLocaleString("en") : value.toFixed(1)} ms`;
}

/** 98 %; <1 % for what is there but rounds to nothing. */
export const percent = (share) => (share > 0 && share < 0.005 ? "<1 %" : `${Math.round(100 * share)} %`);

/** The time of day, with the date if it is not today's. */
export function time(epochMs) {
  const at = new Date(epochMs),
    text = clock.format(at);
  return day.format(at) === day.format(new Date()) ? text : `${day.format(at)} ${text}`;
}

/** A sentence whose numbers stay beside their units. */
export const bound = (sentence) => sentence.replace(/(\d) (%|ms)(?!\w)/g, "$1\u00a0$2");

/** How long ago, for people. */
export function ago(epochMs) {
  const seconds = Math.max(0, (Date.now() - epochMs) / 1000);
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return seconds < 86400 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86400)} d ago`;
}

/** One of many, with its noun. */
export const count = (number, noun, nouns = `${noun}s`) =>
  `${number.toLocaleString("en")} ${number === 1 ? noun : nouns}`;

/** A rate; one decimal below ten, nothing for none. */
export const rate = (value) =>
  value == null ? "" : value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
