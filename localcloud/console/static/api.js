// Reading the server: JSON that is fetched again only if it has changed, and polling that rests while nobody looks.

const kept = new Map();

/** The JSON of a path; throws an Error with the server's sentence. */
export async function read(path, { method = "GET", body, signal } = {}) {
  const memory = method === "GET" ? kept.get(path) : undefined;
  const headers = {
    ...(body && { "content-type": "application/json" }),
    ...(memory && { "if-none-match": memory.tag }),
  };
  const response = await fetch(path, {
    method,
    headers,
    body: body && JSON.stringify(body),
    signal,
    cache: "no-store",
  });
  if (response.status === 304) return memory.value;
  const value = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(value.error?.message ?? `${path} answered ${response.status}.`);
  const tag = response.headers.get("etag");
  if (tag && method === "GET") {
    if (kept.size > 40) kept.delete(kept.keys().next().value);
    kept.set(path, { tag, value });
  }
  return value;
}

/** Read `path()` now and every two seconds, and call `show` with what is new. Stops with `signal`. */
export function poll(path, show, fail, signal, every = 2000) {
  let last, timer;
  const again = () => {
    clearTimeout(timer);
    if (!signal.aborted) timer = setTimeout(look, every);
  };
  async function look() {
    if (document.hidden) return again();
    const asked = path();
    try {
      const value = await read(asked, { signal });
      if (signal.aborted || asked !== path()) return again();
      if (value !== last) {
        last = value;
        show(value);
      }
      connected("");
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof TypeError) connected("not reachable");
      else {
        last = undefined;
        fail(error);
      }
    }
    again();
  }
  document.addEventListener("visibilitychange", () => document.hidden || look(), { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  look();
  return look;
}

function connected(text) {
  const place = document.getElementById("connection");
  if (place.textContent !== text) place.textContent = text;
}
