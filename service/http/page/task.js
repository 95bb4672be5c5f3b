/** The task that is shown: what answers for it, and which of its versions are asked. */

import { askJson, taskPath } from "./api.js";
import { byId, make, percent, setOptions } from "./dom.js";
import { problemBox } from "./problem.js";

const changed = [];
let shown = null;
let asked = new AbortController();

/** The task as `GET /v1/tasks/{task}` tells it, or null. */
export const shownTask = () => shown;

/** Call `listener` whenever another task is shown, or the same one was read anew. */
export const onTask = (listener) => changed.push(listener);

/** Read a task and show it. */
export async function showTask(name) {
  asked.abort();
  asked = new AbortController();
  const { signal } = asked;
  byId("welcome").hidden = false;
  byId("welcome").replaceChildren("Reading the task…");
  try {
    const told = await askJson("GET", taskPath(name), { signal });
    const another = shown?.task !== told.task;
    shown = told;
    byId("welcome").hidden = true;
    byId("task").hidden = false;
    render();
    changed.forEach((listener) => listener(another));
  } catch (error) {
    if (error.name === "AbortError") return;
    shown = null;
    byId("task").hidden = true;
    byId("welcome").replaceChildren(problemBox(error, () => showTask(name)));
  }
}

/** The query of what is chosen in a select: a label or a version. */
export function askedFor(value) {
  const [kind, which] = value.split(":");
  return value ? { [kind]: which } : {};
}

function render() {
  byId("task-name").textContent = shown.task;
  const stable = shown.serving.stable;
  const facts = [
    stable ? `Version ${stable.version} answers` : "No stable version answers",
    `${shown.classes.length} ${shown.classes.length === 1 ? "class" : "classes"}`,
    shown.method ?? null,
    typeof shown.accuracy === "number" ? `${percent(shown.accuracy)} of its test pictures right` : null,
    shown.replicas.all > 1 ? `on ${shown.replicas.ready} of ${shown.replicas.all} processes` : null,
  ].filter(Boolean);
  byId("task-facts").textContent = facts.join(" · ");
  byId("task-problems").replaceChildren(
    ...shown.refused.map((each) => make("li", {}, `Version ${each.version} was refused: ${each.error}`)),
    ...shown.problems.map((each) => make("li", {}, each)),
  );
  const choices = choicesOf(shown);
  setOptions(byId("asked"), [["", "what answers by default"], ...choices]);
  setOptions(byId("beside"), [["", "nothing"], ...choices]);
}

function choicesOf(task) {
  const labels = Object.keys({ stable: 0, ...task.labels });
  return [
    ...labels.map((label) => [`label:${label}`, task.labels[label] ? `${label} (version ${task.labels[label]})` : label]),
    ...task.versions.map(({ version }) => [`version:${version}`, `version ${version}`]).reverse(),
  ];
}
