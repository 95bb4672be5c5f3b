/** Live charts of the service, read only while somebody looks. */

import { ask } from "./api.js";
import { byId, draw, make } from "./dom.js";
import { onKey } from "./key.js";
import { between, parseMetrics } from "./metrics.js";
import { problemBox } from "./problem.js";

const EVERY_MS = 2000;
const POINTS = 60;
const [WIDTH, HEIGHT] = [300, 70];
const CHARTS = [
  { title: "Pictures a second", lines: ["rate"] },
  { title: "Pictures waiting", lines: ["waiting"] },
  { title: "Pictures and tasks in a batch", lines: ["pictures", "tasks"], legend: ["pictures", "tasks"] },
];

let timer = 0;
let before = null;
let history = [];

/** Draw while the section is open and the page is seen. */
export function startCharts() {
  byId("live").addEventListener("toggle", follow);
  document.addEventListener("visibilitychange", follow);
  onKey(follow);
}

function follow() {
  clearTimeout(timer);
  before = null;
  read();
}

const isSeen = () => byId("live").open && document.visibilityState === "visible";

async function read() {
  if (!isSeen()) return;
  try {
    const text = await (await ask("GET", "metrics")).text();
    const now = { values: parseMetrics(text), at: performance.now() };
    if (before) {
      history = [...history, between(before.values, now.values, (now.at - before.at) / 1000)].slice(-POINTS);
      byId("charts").replaceChildren(...CHARTS.map(chart));
    }
    before = now;
    byId("live-status").textContent = history.length ? "" : "Reading…";
  } catch (error) {
    byId("charts").replaceChildren();
    byId("live-status").replaceChildren(explained(error));
    if (error.wantsKey) return; // until there is another key
  }
  clearTimeout(timer);
  if (isSeen()) timer = setTimeout(read, EVERY_MS);
}

function explained(error) {
  const hint = error.wantsKey ? make("p", {}, "The charts need a key with the scope ", make("code", {}, "metrics"), ".") : "";
  return make("div", {}, problemBox(error), hint);
}

function chart({ title, lines, legend }) {
  const top = Math.max(1, ...history.flatMap((point) => lines.map((line) => point[line])));
  const last = history.at(-1);
  const now = lines.map((line, index) => `${last[line].toFixed(1)}${legend ? ` ${legend[index]}` : ""}`).join(", ");
  const said = `${title}: ${now} now, at most ${top.toFixed(1)} in the last ${Math.round((history.length * EVERY_MS) / 1000)} seconds`;
  const drawing = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": said });
  drawing.append(draw("line", { class: "axis", x1: 0, x2: WIDTH, y1: HEIGHT - 1, y2: HEIGHT - 1 }));
  lines.forEach((line, index) => drawing.append(draw("polyline", { class: `line-${index}`, points: points(line, top) })));
  return make("figure", { class: "chart" }, make("figcaption", {}, make("span", {}, title), make("strong", {}, now)), drawing);
}

function points(line, top) {
  const step = WIDTH / (POINTS - 1);
  const first = POINTS - history.length;
  return history.map((point, index) => `${((first + index) * step).toFixed(1)},${(HEIGHT - 2 - (HEIGHT - 6) * (point[line] / top)).toFixed(1)}`).join(" ");
}
