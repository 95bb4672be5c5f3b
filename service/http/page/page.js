/** The page: its parts, wired together. The task that is shown stands in the address, after `#`. */

import { startAdmin } from "./admin.js";
import { ask } from "./api.js";
import { startCharts } from "./charts.js";
import { startCode } from "./code.js";
import { byId } from "./dom.js";
import { onKey, startKey } from "./key.js";
import { startPictures } from "./pictures.js";
import { addPictures, askAgain, startResults } from "./results.js";
import { onTask, showTask } from "./task.js";
import { markTask, readTasks, startTasks } from "./tasks.js";

const AGAIN_MS = 3000;

const chosenTask = () => decodeURIComponent(location.hash.slice(1));

function showChosen() {
  const task = chosenTask();
  markTask(task);
  return task ? showTask(task) : null;
}

async function showHealth() {
  const health = byId("health");
  try {
    const told = await (await ask("GET", "readyz")).json();
    health.textContent = told.status;
    health.className = "on";
  } catch (error) {
    health.textContent = error.code === "unreachable" ? "unreachable" : error.detail;
    health.className = "off";
    setTimeout(showHealth, AGAIN_MS);
  }
}

startKey();
startPictures(addPictures);
startResults();
startCode();
startAdmin();
startCharts();
onTask((another) => {
  if (another) askAgain(); // of another task, the same pictures
});
onKey(async () => {
  readTasks();
  await showChosen();
  askAgain();
});
startTasks((task) => {
  if (task === chosenTask()) showChosen();
  else location.hash = encodeURIComponent(task);
});
addEventListener("hashchange", async () => {
  await showChosen();
  byId("task-name").focus();
});
showChosen();
showHealth();
