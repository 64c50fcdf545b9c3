// Which view an address shows. Links of the page change the address without loading it again.

let views = [],
  current = new AbortController();

/** `table`: [pattern, name, show]; show(place, parameters, signal) fills the main element. */
export function start(table) {
  views = table;
  document.addEventListener("click", follow);
  addEventListener("popstate", () => render());
  render();
}

/** Go to an address of this page. */
export function go(address) {
  history.pushState(null, "", address);
  scrollTo(0, 0);
  render(true);
}

/** Change the query of the address and stay in the view. */
export function setQuery(parameters) {
  const text = new URLSearchParams(parameters).toString();
  history.replaceState(null, "", location.pathname + (text ? `?${text}` : ""));
}

/** Whether a path is a view of this page, and not one that the server sends elsewhere. */
const isView = (path) => views.some(([pattern]) => pattern.test(path));

function follow(event) {
  const link = event.target.closest("a[href]");
  if (
    !link ||
    event.defaultPrevented ||
    event.button ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.altKey
  )
    return;
  const url = new URL(link.href);
  if (link.target || url.origin !== location.origin || url.hash || !isView(url.pathname)) return;
  event.preventDefault();
  go(url.pathname + url.search);
}

function render(moved = false) {
  current.abort();
  current = new AbortController();
  const place = document.getElementById("view");
  const [pattern, name, show] = views.find(([pattern]) => pattern.test(location.pathname)) ?? views[0];
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${name[0].toUpperCase()}${name.slice(1)} · localcloud`;
  place.className = name;
  place.replaceChildren();
  if (moved) place.focus({ preventScroll: true });
  show(place, pattern.exec(location.pathname)?.slice(1) ?? [], current.signal);
}
