/** The list of tasks: searched and read in pages, however many there are. */

import { askJson, taskPath, withQuery } from "./api.js";
import { byId, make, percent } from "./dom.js";
import { askForKey, currentKey } from "./key.js";
import { problemBox } from "./problem.js";

const PAGE = 50;
const AT_ONCE = 4;
const WAIT_MS = 200;

let asked = new AbortController();
let next = "";
let chosen = "";
let choose = () => {};
let unread = [];
let reading = 0;

/** Reads what a task is worth once it is seen: of a hundred thousand nobody looks at all. */
const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    unread.push(target);
  }
  readAccuracies();
});

/** Show the list; `onChoice` is called with the name of a task that is chosen. */
export function startTasks(onChoice) {
  choose = onChoice;
  let timer = 0;
  byId("search").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => readTasks(), WAIT_MS);
  });
  byId("more").addEventListener("click", () => readTasks({ after: next }));
  readTasks();
}

/** Mark the task that is shown. */
export function markTask(task) {
  chosen = task;
  for (const button of byId("task-list").querySelectorAll("button"))
    mark(button, button.dataset.task === task);
}

/** Read the first page of what is searched for, or the one `after` a name. */
export async function readTasks({ after = "" } = {}) {
  asked.abort();
  asked = new AbortController();
  const { signal } = asked;
  const search = byId("search").value.trim().toLowerCase();
  try {
    const page = await askJson("GET", withQuery("v1/tasks", { limit: PAGE, search, after }), { signal });
    show(page, after !== "");
  } catch (error) {
    if (error.name === "AbortError") return;
    fail(error);
  }
}

function show(page, further) {
  const list = byId("task-list");
  const items = page.tasks.map(item);
  if (further) list.append(...items);
  else {
    seen.disconnect();
    unread = [];
    list.replaceChildren(...items);
  }
  for (const each of items) seen.observe(each);
  next = page.next ?? "";
  byId("more").hidden = !next;
  if (further) items[0]?.querySelector("button").focus();
  const count = list.children.length;
  const more = next ? ", and there are more" : "";
  byId("tasks-status").replaceChildren(count ? `${count} ${count === 1 ? "task" : "tasks"}${more}` : "No task has such a name.");
}

function fail(error) {
  byId("task-list").replaceChildren();
  byId("more").hidden = true;
  byId("tasks-status").replaceChildren(problemBox(error, () => readTasks()));
  if (error.code === "unauthenticated" && !currentKey()) askForKey(error.detail);
}

function item(task) {
  const [state, text] = stateOf(task);
  const button = make(
    "button",
    { type: "button", class: "task", "data-task": task.task, click: () => choose(task.task) },
    make("span", { class: "name" }, task.task),
    make("span", { class: `state ${state}` }, text),
  );
  mark(button, task.task === chosen);
  return make("li", {}, button);
}

function readAccuracies() {
  while (unread.length && reading < AT_ONCE) {
    const target = unread.shift();
    reading += 1;
    readAccuracy(target).finally(() => {
      reading -= 1;
      readAccuracies();
    });
  }
}

/** Add the accuracy to a task's line; without one, or where it cannot be read, the line stays as it is. */
async function readAccuracy(target) {
  const button = target.querySelector("button");
  try {
    const { accuracy } = await askJson("GET", taskPath(button.dataset.task));
    if (typeof accuracy === "number") button.querySelector(".state").append(`, ${percent(accuracy)} right`);
  } catch {
    // The task itself tells what is wrong once it is chosen.
  }
}

function mark(button, current) {
  if (current) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
}

/** What a task is worth now: a word for the colour, and the text. */
function stateOf(task) {
  const serving = task.serving.stable;
  const refused = task.refused.length ? `, ${task.refused.length} refused` : "";
  const problems = task.problems.length ? ", see problems" : "";
  if (serving === undefined) return ["off", `no stable version${refused}${problems}`];
  const kind = refused || problems ? "partly" : "on";
  return [kind, `version ${serving}${refused}${problems}`];
}
