/** One picture sent to one version, and how long each stage took. */

import { ask, taskPath, withQuery } from "./api.js";

const AT_ONCE = 4;
let running = 0;
const waiting = [];

/**
 * Classify one picture; a few at a time, the others wait here and not in the service.
 * Returns the answer with `timing.network_ms`, everything that was not the service's own.
 */
export async function classify(task, file, query, signal) {
  await turn();
  try {
    signal.throwIfAborted();
    const began = performance.now();
    const path = withQuery(taskPath(task, "classify"), query);
    const headers = { "Content-Type": file.type || "application/octet-stream" };
    const response = await ask("POST", path, { body: file, headers, signal });
    const answer = await response.json();
    const { decode_ms, queue_ms, inference_ms } = answer.timing;
    const whole = performance.now() - began;
    answer.timing.network_ms = Math.max(0, whole - decode_ms - queue_ms - inference_ms);
    return answer;
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}

async function turn() {
  while (running >= AT_ONCE) await new Promise((resolve) => waiting.push(resolve));
  running += 1;
}
