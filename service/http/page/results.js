/** The pictures and their answers, one version beside another where that is asked for. */

import { answerView } from "./answer.js";
import { classify } from "./classify.js";
import { byId, make } from "./dom.js";
import { overlay } from "./overlay.js";
import { problemBox } from "./problem.js";
import { askedFor, shownTask } from "./task.js";

const MOST = 64;
let cards = [];
let asking = new AbortController();

/** Take pictures in and ask about them. */
export function addPictures(files) {
  const task = shownTask();
  if (!task) return;
  const room = files.slice(0, MOST - cards.length);
  const added = room.map(newCard);
  cards.push(...added);
  byId("results").append(...added.map((card) => card.element));
  const over = files.length - room.length;
  askAbout(added, over ? `${over} more than ${MOST} pictures were left out. ` : "");
}

/** Ask about all pictures again, of what is chosen now. */
export function askAgain() {
  asking.abort();
  asking = new AbortController();
  if (shownTask()) askAbout(cards);
}

function clearPictures() {
  asking.abort();
  asking = new AbortController();
  cards.forEach((card) => URL.revokeObjectURL(card.url));
  cards = [];
  byId("results").replaceChildren();
  byId("results-status").textContent = "";
  update();
}

/** Listen to the buttons beside the answers. */
export function startResults() {
  byId("again").addEventListener("click", askAgain);
  byId("clear").addEventListener("click", () => {
    clearPictures();
    byId("files").focus();
  });
  byId("options").addEventListener("change", () => byId("options").reportValidity() && askAgain());
  byId("options").addEventListener("submit", (event) => event.preventDefault());
}

/** The name of the picture that was given last, for programs that are shown. */
export const lastPicture = () => cards.at(-1)?.file.name ?? "picture.jpg";

function newCard(file) {
  const url = URL.createObjectURL(file);
  const image = make("img", {
    alt: file.name,
    load: () => image.classList.add(image.naturalWidth >= image.naturalHeight ? "wide" : "high"),
    error: () => frame.replaceChildren("no preview"),
    src: url,
  });
  const frame = make("div", { class: "picture" }, image);
  const answers = make("div", { class: "answers" });
  const element = make(
    "li",
    { class: "card" },
    make("figure", {}, frame, make("figcaption", {}, file.name || "pasted picture")),
    answers,
  );
  return { file, url, image, frame, answers, element };
}

async function askAbout(some, before = "") {
  update();
  if (!some.length) return;
  const { signal } = asking;
  const status = byId("results-status");
  status.textContent = `${before}Asking about ${count(some.length)}…`;
  const failed = (await Promise.all(some.map((card) => fill(card, signal)))).flat().filter((right) => !right).length;
  if (signal.aborted) return;
  status.textContent = `${before}${count(some.length)} answered${failed ? `, ${failed} with an error` : ""}.`;
}

/** Ask about one picture, once or twice; whether each went well. */
function fill(card, signal) {
  const beside = byId("beside").value;
  const chosen = beside ? [byId("asked").value, beside] : [byId("asked").value];
  card.frame.querySelector(".overlay")?.remove();
  const columns = chosen.map(() => make("div", { class: "column" }, make("p", { class: "note" }, "…")));
  card.answers.replaceChildren(...columns);
  return Promise.all(columns.map((column, index) => fillColumn(card, column, askedFor(chosen[index]), signal)));
}

async function fillColumn(card, column, which, signal) {
  const { task } = shownTask();
  const query = { top_k: byId("top-k").value, ...which };
  try {
    const answer = await classify(task, card.file, query, signal);
    column.replaceChildren(answerView(answer, (button) => explain(card, column, button, answer, signal)));
    return true;
  } catch (error) {
    if (error.name === "AbortError") return true;
    column.replaceChildren(problemBox(error, () => fillColumn(card, column, which, asking.signal)));
    return false;
  }
}

/** Show which parts carried an answer, of the version that gave it; or hide them again. */
async function explain(card, column, button, { task, version }, signal) {
  const shown = button.getAttribute("aria-pressed") === "true";
  card.answers.querySelectorAll(".why").forEach((each) => each.setAttribute("aria-pressed", "false"));
  card.frame.querySelector(".overlay")?.remove();
  if (shown) return;
  button.disabled = true;
  button.textContent = "Looking…";
  column.querySelector(".problem")?.remove();
  try {
    const answer = await classify(task, card.file, { version, explain: "true" }, signal);
    card.frame.append(overlay(card.image, answer.predictions[0].explanation));
    button.setAttribute("aria-pressed", "true");
  } catch (error) {
    if (error.name !== "AbortError") column.append(problemBox(error));
  } finally {
    button.disabled = false;
    button.textContent = "Why?";
    if (document.activeElement === document.body) button.focus();
  }
}

function update() {
  for (const id of ["again", "clear"]) byId(id).disabled = !cards.length;
}

const count = (pictures) => `${pictures} ${pictures === 1 ? "picture" : "pictures"}`;
