/** Pictures that the reader gives: dropped, pasted, chosen or taken. */

import { byId } from "./dom.js";

/** Call `onPictures` with the files of each gift. */
export function startPictures(onPictures) {
  const give = (files) => {
    const given = [...files];
    if (given.length) onPictures(given);
  };
  for (const id of ["files", "camera"]) {
    const input = byId(id);
    input.addEventListener("change", () => {
      give(input.files);
      input.value = ""; // so that the same file may be given again
    });
  }
  const zone = byId("drop");
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.toggle("over", !byId("task").hidden);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) zone.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    give(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => {
    if (!event.target.closest("input, textarea")) give(event.clipboardData.files);
  });
}
