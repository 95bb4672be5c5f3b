/** The reader's key: in this tab's session storage and nowhere else. */

import { byId } from "./dom.js";

const PLACE = "dvpt-key";
const listeners = [];

/** The key that requests show, or "". */
export const currentKey = () => sessionStorage.getItem(PLACE) ?? "";

/** Call `listener` whenever there is another key, or none any more. */
export const onKey = (listener) => listeners.push(listener);

/** Ask the reader for a key, saying why. */
export function askForKey(reason = "") {
  byId("key-reason").textContent = reason;
  byId("key").value = currentKey();
  if (!byId("key-dialog").open) byId("key-dialog").showModal();
  byId("key").focus();
}

/** Listen to the button and the dialog. */
export function startKey() {
  const dialog = byId("key-dialog");
  byId("key-button").addEventListener("click", () => askForKey());
  dialog.addEventListener("close", () => {
    const chosen = dialog.returnValue;
    const key = chosen === "use" ? byId("key").value.trim() : "";
    byId("key").value = "";
    dialog.returnValue = "";
    if (chosen === "use" || chosen === "forget") keep(key);
  });
  show();
}

function keep(key) {
  if (key === currentKey()) return;
  if (key) sessionStorage.setItem(PLACE, key);
  else sessionStorage.removeItem(PLACE);
  show();
  listeners.forEach((listener) => listener());
}

function show() {
  byId("key-button").textContent = currentKey() ? "Key in use" : "Key";
}
