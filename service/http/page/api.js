/** Requests to the service. Every URL is relative to the page, so that a proxy's prefix stays. */

import { currentKey } from "./key.js";

/** An answer that is an error, as the service tells it (application/problem+json), or none at all. */
export class Problem extends Error {
  constructor(status, code, title, detail, requestId = "", retryAfter = "") {
    super(detail || title);
    Object.assign(this, { status, code, title, detail, requestId, retryAfter });
  }

  /** Whether another key might help. */
  get wantsKey() {
    return this.code === "unauthenticated" || this.code === "not_allowed";
  }
}

/** The path of a task's resource: each part is encoded. */
export const taskPath = (task, ...parts) => ["v1/tasks", task, ...parts].map(encodePart).join("/");

const encodePart = (part, index) => (index === 0 ? part : encodeURIComponent(part));

/** A path with those parameters that are set. */
export function withQuery(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

/** Ask the service. Returns the response; throws Problem for whatever is not a success, and AbortError. */
export async function ask(method, path, { body, headers = {}, signal } = {}) {
  const key = currentKey();
  const shown = key ? { ...headers, Authorization: `Bearer ${key}` } : headers;
  let response;
  try {
    response = await fetch(path, { method, body, headers: shown, signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "unreachable", "The service did not answer", "It cannot be reached from here, or it closed the connection.");
  }
  if (response.ok) return response;
  throw await problemOf(response);
}

/** Ask for JSON. */
export const askJson = async (method, path, options) => (await ask(method, path, options)).json();

async function problemOf(response) {
  const requestId = response.headers.get("X-Request-Id") ?? "";
  const retryAfter = response.headers.get("Retry-After") ?? "";
  try {
    const told = await response.json();
    return new Problem(response.status, told.code, told.title, told.detail, requestId, retryAfter);
  } catch {
    return new Problem(response.status, "unknown", `The answer was ${response.status}`, response.statusText, requestId, retryAfter);
  }
}
