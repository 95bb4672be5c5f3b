/** One answer: ranked classes, whether to act on them, and where the time went. */

import { make, milliseconds, percent } from "./dom.js";

const REASONS = {
  none_of_these: "Not accepted: it may be of none of these classes.",
  below_threshold: "Not accepted: the likeliest class is not likely enough.",
};
const STAGES = [
  ["decode", "decoding"],
  ["queue", "queue"],
  ["inference", "inference"],
  ["network", "network"],
];

/** What the service said of one picture; `why` asks for the explanation, where it was not asked yet. */
export function answerView(answer, why) {
  const prediction = answer.predictions[0];
  const asked = answer.label ? `${answer.label}, version ${answer.version}` : `Version ${answer.version}`;
  const button = make("button", { type: "button", class: "why", click: () => why(button) }, "Why?");
  return make(
    "div",
    { class: "answer" },
    make("p", { class: "who" }, make("span", {}, asked), button),
    verdict(prediction),
    make("ol", { class: "classes" }, ...prediction.classes.map(classLine)),
    timing(answer.timing),
  );
}

function verdict(prediction) {
  if (prediction.accepted === undefined) return null;
  if (prediction.accepted) return make("p", { class: "verdict accepted" }, "Accepted");
  const reason = REASONS[prediction.reason] ?? `Not accepted: ${prediction.reason}`;
  return make("p", { class: "verdict abstained" }, reason);
}

function classLine({ label, probability }) {
  const bar = make("span", { class: "bar", "aria-hidden": "true" }, make("span", { class: "fill" }));
  bar.firstChild.style.width = `${100 * probability}%`;
  return make("li", {}, make("span", { class: "label" }, label), make("span", { class: "share" }, percent(probability)), bar);
}

function timing(times) {
  const stages = STAGES.map(([name, text]) => [name, text, times[`${name}_ms`]]);
  const whole = stages.reduce((sum, [, , ms]) => sum + ms, 0);
  const strip = make("div", { class: "strip", "aria-hidden": "true" });
  for (const [name, , ms] of stages) {
    const part = make("span", { class: `stage ${name}` });
    part.style.flexGrow = ms;
    strip.append(part);
  }
  const legend = stages.map(([name, text, ms]) =>
    make("li", {}, make("span", { class: `dot ${name}`, "aria-hidden": "true" }), `${text} ${milliseconds(ms)}`),
  );
  return make(
    "div",
    { class: "timing" },
    strip,
    make("ul", { "aria-label": "Where the time went" }, ...legend, make("li", {}, `together ${milliseconds(whole)}`)),
  );
}
