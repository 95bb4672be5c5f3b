/** Which parts of a picture carried an answer, drawn over the picture. */

import { make } from "./dom.js";

/**
 * A canvas over `image` for an explanation: the weights [rows][columns] from 0 to 1, where the model looked.
 * Squashed pictures were seen whole; of others the middle square, whose side is the short one / resize_ratio.
 */
export function overlay(image, explanation) {
  const { rows, columns, weights } = explanation;
  const canvas = make("canvas", {
    class: "overlay",
    width: columns,
    height: rows,
    role: "img",
    "aria-label": describe(explanation),
  });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(columns, rows);
  weights.flat().forEach((weight, index) => pixels.data.set([255, 90, 0, Math.round(190 * weight)], 4 * index));
  context.putImageData(pixels, 0, 0);
  place(canvas, image, explanation);
  return canvas;
}

function place(canvas, image, { fit, resize_ratio }) {
  const [width, height] = [image.naturalWidth || 1, image.naturalHeight || 1];
  const side = Math.min(width, height) / resize_ratio;
  const [across, down] = fit === "crop" ? [side / width, side / height] : [1, 1];
  canvas.style.left = `${50 * (1 - across)}%`;
  canvas.style.top = `${50 * (1 - down)}%`;
  canvas.style.width = `${100 * across}%`;
  canvas.style.height = `${100 * down}%`;
}

/** In words, for those who do not see it: where the most important ninth of the picture is. */
function describe({ rows, columns, weights }) {
  const sums = Array.from({ length: 9 }, () => 0);
  weights.forEach((line, row) =>
    line.forEach((weight, column) => (sums[3 * Math.floor((3 * row) / rows) + Math.floor((3 * column) / columns)] += weight)),
  );
  const most = sums.indexOf(Math.max(...sums));
  const names = ["top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right"];
  return Math.max(...sums) > 0 ? `What carried the answer: most of it ${names[most]}` : "No part alone carried the answer";
}
