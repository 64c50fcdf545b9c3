// Links into Google's console, which alert documents hold, beside their counterparts on this page.

import { el } from "./dom.js";

const GOOGLE = "https://console.cloud.google.com/";

/** The same place on this page: the server takes Google's paths as they are. Null for whatever would lead elsewhere. */
function localOf(address) {
  if (!address.startsWith(GOOGLE)) return null;
  const path = address.slice(GOOGLE.length - 1);
  // Two slashes begin another host's address, and browsers read a backslash as one.
  if (/^\/[/\\]/.test(path)) return null;
  return new URL(path, location.origin).origin === location.origin ? path : null;
}

/** Plain text with its Markdown links, code and emphasis made elements; anything else stays as it is written. */
export function documentText(text) {
  return text
    .trim()
    .split(/\n{2,}/)
    .map((block) =>
      el(
        "p",
        {},
        block.split("\n").flatMap((line, index) => [...(index ? [el("br")] : []), ...inline(line)]),
      ),
    );
}

function inline(line) {
  const parts = [],
    pattern = /\[([^\]]+)\]\((https?:\/\/[^\s)]+)\)|`([^`]+)`|\*\*(.+?)\*\*|\*(.+?)\*|(https?:\/\/[^\s)]+)/g;
  let at = 0;
  for (const match of line.matchAll(pattern)) {
    parts.push(line.slice(at, match.index), element(match));
    at = match.index + match[0].length;
  }
  return [...parts, line.slice(at)];
}

function element([, text, address, code, strong, emphasis, bare]) {
  if (code) return el("code", {}, code);
  if (strong) return el("strong", {}, strong);
  if (emphasis) return el("em", {}, emphasis);
  const target = address ?? bare,
    local = localOf(target);
  const outside = (words) =>
    el("a", { href: target, rel: "noreferrer", target: "_blank", class: local && "google" }, words);
  return local
    ? [el("a", { href: local }, text ?? "open here"), " (", outside("on Google"), ")"]
    : outside(text ?? bare);
}
