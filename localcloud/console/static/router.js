// Which view an address shows. Links of the page change the address without loading it again; Back returns to the place.

const scrolls = new Map();
let views = [],
  current = new AbortController(),
  shown = { path: "", revisit: null };

/** `table`: [pattern, name, show]; show(place, parameters, signal) fills `place`, and may return what Back within it does. */
export function start(table) {
  views = table;
  history.scrollRestoration = "manual";
  document.addEventListener("click", follow);
  addEventListener("scroll", () => scrolls.set(entry(), scrollY), { passive: true });
  addEventListener("popstate", back);
  render();
}

/** Go to an address of this page. */
export function go(path) {
  push(path);
  scrollTo(0, 0);
  render();
  document.getElementById("view").focus({ preventScroll: true });
}

/** Change the query of the address and stay in the view; with `step`, Back leads to what it was. */
export function setQuery(parameters, step = false) {
  const text = new URLSearchParams(parameters).toString(),
    path = location.pathname + (text ? `?${text}` : "");
  if (!step) history.replaceState(history.state, "", path);
  else if (path !== location.pathname + location.search) push(path);
}

const entry = () => history.state ?? 0;
const push = (path) => history.pushState(performance.timeOrigin + performance.now(), "", path);

/** Whether a path is a view of this page, and not one that the server sends elsewhere. */
const isView = (path) => views.some(([pattern]) => pattern.test(path));

function follow(event) {
  const link = event.target.closest("a[href]"),
    modified = event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  if (!link || event.defaultPrevented || modified) return;
  const url = new URL(link.href);
  if (link.target || url.origin !== location.origin || url.hash || !isView(url.pathname)) return;
  event.preventDefault();
  go(url.pathname + url.search);
}

function back() {
  if (shown.revisit && shown.path === location.pathname) return shown.revisit();
  render();
  scrollWhenThere(scrolls.get(entry()) ?? 0);
}

/** The view is empty until its answer comes: scroll as soon as it is long enough, unless the reader moves or two seconds pass. */
function scrollWhenThere(top) {
  const place = document.getElementById("view"),
    signal = AbortSignal.any([current.signal, AbortSignal.timeout(2000)]);
  const watch = new ResizeObserver(() => {
    if (document.documentElement.scrollHeight - innerHeight < top) return;
    scrollTo(0, top);
    watch.disconnect();
  });
  watch.observe(place);
  for (const kind of ["wheel", "keydown", "pointerdown"])
    addEventListener(kind, () => watch.disconnect(), { signal, once: true });
  signal.addEventListener("abort", () => watch.disconnect());
}

function render() {
  current.abort();
  current = new AbortController();
  const place = document.getElementById("view");
  const [pattern, view, show] = views.find(([pattern]) => pattern.test(location.pathname)) ?? views[0];
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${view[0].toUpperCase()}${view.slice(1)} · localcloud`;
  place.className = view;
  place.replaceChildren();
  shown = { path: location.pathname };
  shown.revisit = show(place, pattern.exec(location.pathname)?.slice(1) ?? [], current.signal);
}
