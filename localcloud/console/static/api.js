// Reading the server: JSON that is fetched again only if it has changed, and polling that rests while nobody looks.

import { connected, problem } from "./problem.js";

const kept = new Map();

/** No answer at all, as opposed to one that refuses. */
class Unreachable extends Error {}

/** The JSON of a path; throws an Error with the server's sentence, or Unreachable. */
export async function read(path, { method = "GET", body, signal } = {}) {
  const memory = method === "GET" ? kept.get(path) : undefined;
  const headers = {
    ...(body && { "content-type": "application/json" }),
    ...(memory && { "if-none-match": memory.tag }),
  };
  const response = await answer(path, { method, headers, body: body && JSON.stringify(body), signal });
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

async function answer(path, request) {
  try {
    const response = await fetch(path, { ...request, cache: "no-store" });
    connected(true);
    return response;
  } catch (error) {
    if (request.signal?.aborted) throw error;
    connected(false);
    throw new Unreachable("The local cloud does not answer. Is it running? This page keeps asking.");
  }
}

/**
 * Read `path()` now and every so many ms, and call `show` with what is new. What is refused is told, and `refused`
 * called to take away what no longer holds; while there is no answer, what is shown stays. Stops with `signal`.
 * Returns what asks at once.
 */
export function poll(path, show, signal, options) {
  const polling = new Poll({ path, show, signal, ...options }),
    look = () => polling.look();
  document.addEventListener("visibilitychange", () => document.hidden || look(), { signal });
  signal.addEventListener("abort", () => polling.stop());
  look();
  return look;
}

class Poll {
  #last;
  #timer;
  #broken = "";

  constructor({ path, show, signal, refused = () => {}, quiet = false, every = 2000 }) {
    Object.assign(this, { path, show, signal, refused, quiet, every });
  }

  async look() {
    const asked = this.path();
    if (!document.hidden) {
      const settle = await read(asked, { signal: this.signal }).then(
        (value) => () => this.#answered(value),
        (error) => () => this.#failed(error),
      );
      // An answer to what nobody asks any more is no answer.
      if (!this.signal.aborted && asked === this.path()) settle();
    }
    clearTimeout(this.#timer);
    if (!this.signal.aborted) this.#timer = setTimeout(() => this.look(), this.every);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#tell("");
  }

  #answered(value) {
    if (value !== this.#last) this.#broken = tried(this.show, value);
    this.#last = value;
    this.#tell(this.#broken);
  }

  #failed(error) {
    if (!(error instanceof Unreachable)) {
      this.#last = undefined;
      this.refused();
    }
    this.#tell(error.message);
  }

  #tell(text) {
    if (!this.quiet) problem(this, text);
  }
}

function tried(show, value) {
  try {
    show(value);
    return "";
  } catch (error) {
    reportError(error);
    return "This page failed to show what the local cloud answered; the browser's console says where.";
  }
}
