/** The same question as a command and as a program; the key is a variable in both, never itself. */

import { withQuery, taskPath } from "./api.js";
import { byId } from "./dom.js";
import { currentKey } from "./key.js";
import { lastPicture } from "./results.js";
import { askedFor, onTask, shownTask } from "./task.js";

let language = "curl";

/** Listen to the buttons, and write the program anew whenever what it asks has changed. */
export function startCode() {
  for (const name of ["curl", "python"])
    byId(`code-${name}`).addEventListener("click", () => {
      language = name;
      write();
    });
  byId("code-copy").addEventListener("click", copy);
  byId("code").addEventListener("toggle", write);
  byId("options").addEventListener("change", write);
  onTask(write);
}

function write() {
  const task = shownTask();
  if (!task || !byId("code").open) return;
  for (const name of ["curl", "python"]) byId(`code-${name}`).setAttribute("aria-pressed", String(name === language));
  const query = { top_k: byId("top-k").value, ...askedFor(byId("asked").value) };
  byId("code-text").textContent = language === "curl" ? curl(task.task, query) : python(task.task, query);
  byId("code-status").textContent = "";
}

/** The command for a shell. */
export function curl(task, query, file = lastPicture()) {
  const url = new URL(withQuery(taskPath(task, "classify"), query), document.baseURI);
  const key = currentKey() ? ' \\\n  -H "Authorization: Bearer $DVPT_KEY"' : "";
  return `curl --data-binary @${quoted(file)} -H 'Content-Type: application/octet-stream'${key} \\\n  ${quoted(url.href)}`;
}

/** The program in Python, with httpx. */
export function python(task, query, file = lastPicture()) {
  const url = new URL(taskPath(task, "classify"), document.baseURI);
  const key = currentKey() ? '\n    headers={"Authorization": f"Bearer {os.environ[\'DVPT_KEY\']}"},' : "";
  return `${currentKey() ? "import os\n" : ""}from pathlib import Path

import httpx

answer = httpx.post(
    ${JSON.stringify(url.href)},
    params=${JSON.stringify(query)},
    content=Path(${JSON.stringify(file)}).read_bytes(),${key}
    timeout=30,
)
answer.raise_for_status()
for each in answer.json()["predictions"][0]["classes"]:
    print(f"{each['probability']:.3f} {each['label']}")
`;
}

/** A word of a shell, whatever is in it. */
const quoted = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

async function copy() {
  const text = byId("code-text").textContent;
  try {
    await navigator.clipboard.writeText(text);
    byId("code-status").textContent = "Copied.";
  } catch {
    getSelection().selectAllChildren(byId("code-text")); // browsers copy by themselves only over TLS or from this machine
    byId("code-status").textContent = "The browser does not let a page copy here. The program is selected: copy it by hand.";
  }
}
