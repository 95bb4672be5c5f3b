/** Versions and labels: publish, point a label at a version, roll it back. */

import { ask, askJson, taskPath, withQuery } from "./api.js";
import { byId, make, setOptions } from "./dom.js";
import { onKey } from "./key.js";
import { problemBox } from "./problem.js";
import { onTask, showTask, shownTask } from "./task.js";
import { readTasks } from "./tasks.js";

/** Listen to the forms, and show the versions of whatever task is shown. */
export function startAdmin() {
  onTask((another) => {
    if (another) tell("");
    show(shownTask(), another);
  });
  onKey(() => tell(""));
  on("set-label", setLabel);
  on("publish", publish);
  byId("roll-back").addEventListener("click", () => byId("label-name").reportValidity() && change(rollBack));
}

function show(task, another) {
  const labelled = (version) => Object.keys(task.labels).filter((label) => task.labels[label] === version);
  const rows = task.versions.map(({ version, place, state }) => {
    const where = [state, place].filter(Boolean).join(", ");
    return make(
      "tr",
      {},
      make("th", { scope: "row" }, String(version)),
      make("td", {}, where),
      make("td", {}, labelled(version).join(", ") || "–"),
    );
  });
  byId("versions").replaceChildren(...rows.reverse());
  byId("label-names").replaceChildren(...Object.keys(task.labels).map((label) => make("option", { value: label })));
  setOptions(byId("label-version"), task.versions.map(({ version }) => [String(version), String(version)]).reverse());
  if (another) byId("publish-task").value = task.task;
}

async function setLabel() {
  const [task, label] = [shownTask().task, byId("label-name").value];
  const version = Number(byId("label-version").value);
  const path = taskPath(task, "labels", label);
  const body = JSON.stringify({ version, replace_classes: byId("replace-classes").checked });
  const headers = { "Content-Type": "application/json", ...(await asItIsNow(path, task, label)) };
  await ask("PUT", path, { body, headers });
  return `${label} is version ${version} now.`;
}

/** The condition under which a label moves: that it is still where the reader saw it. */
async function asItIsNow(path, task, label) {
  if (!(label in shownTask().labels)) return { "If-None-Match": "*" };
  const response = await ask("GET", path);
  const now = await response.json();
  if (now.version !== shownTask().labels[label]) {
    await showTask(task);
    throw new Error(`${label} has meanwhile been moved to version ${now.version}; look again`);
  }
  return { "If-Match": response.headers.get("ETag") };
}

async function rollBack() {
  const [task, label] = [shownTask().task, byId("label-name").value];
  await ask("POST", taskPath(task, "labels", label, "rollback"));
  return `${label} was rolled back.`;
}

async function publish() {
  const task = byId("publish-task").value;
  const file = byId("publish-file").files[0];
  const query = { label: byId("publish-label").value, replace_classes: byId("replace-classes").checked };
  const headers = { "Content-Type": /gz$/.test(file.name) ? "application/gzip" : "application/x-tar" };
  const told = await askJson("POST", withQuery(taskPath(task, "versions"), query), { body: file, headers });
  byId("publish-file").value = "";
  return told.existed ? `Version ${told.version} of ${task} has the same files already.` : `Version ${told.version} of ${task} was published.`;
}

function on(form, action) {
  byId(form).addEventListener("submit", (event) => {
    event.preventDefault();
    change(action);
  });
}

/** Make one change, then show what there is. */
async function change(action) {
  const task = shownTask().task;
  tell("…");
  try {
    const done = await action();
    await showTask(task);
    readTasks();
    tell(done);
  } catch (error) {
    tell("");
    byId("admin-error").replaceChildren(problemBox(error));
  }
}

function tell(text) {
  byId("admin-status").textContent = text;
  byId("admin-error").replaceChildren();
}
