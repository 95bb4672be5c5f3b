/** How an error is shown: as what it is. */

import { Problem } from "./api.js";
import { make } from "./dom.js";
import { askForKey } from "./key.js";

/** An error as an alert, with what may be done about it; `again` tries once more. */
export function problemBox(error, again = null) {
  const problem = error instanceof Problem ? error : new Problem(0, "page", "The page has a fault", String(error));
  const lines = [make("strong", {}, problem.title), make("span", {}, problem.detail)];
  if (problem.retryAfter) lines.push(make("span", {}, `Try again in ${problem.retryAfter} s.`));
  const status = problem.status ? `${problem.status} ` : "";
  const id = problem.requestId ? ` · request ${problem.requestId}` : "";
  lines.push(make("small", {}, `${status}${problem.code}${id}`));
  const buttons = [
    problem.wantsKey ? make("button", { type: "button", click: () => askForKey(problem.detail) }, "Enter a key") : null,
    again ? make("button", { type: "button", click: again }, "Try again") : null,
  ].filter(Boolean);
  return make("div", { class: "problem", role: "alert" }, ...lines, ...(buttons.length ? [make("p", { class: "buttons" }, ...buttons)] : []));
}
