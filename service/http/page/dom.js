/** Elements of the page, found and made. Text is only ever set as text. */

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** A new element: attributes (a function listens, false and null are left out), then children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** A new element of a drawing. */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Options of a select: pairs of value and text; the value that was chosen stays, where it is still there. */
export function setOptions(select, pairs) {
  const chosen = select.value;
  select.replaceChildren(...pairs.map(([value, text]) => make("option", { value }, text)));
  if (pairs.some(([value]) => value === chosen)) select.value = chosen;
}

/** Seconds or milliseconds as people read them. */
export function milliseconds(ms) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** A share of one as per cent; one that is not all never reads as all. */
export function percent(share) {
  const rounded = Math.round(share * 1000) / 10;
  return rounded === 100 && share < 1 ? "> 99.9 %" : `${rounded.toFixed(1)} %`;
}
