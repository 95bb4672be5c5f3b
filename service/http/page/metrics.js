/** The service's metrics, as it writes them for Prometheus. */

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{.*\})? (\S+)/;

/** The text of `/metrics` → each name's values, added up over all labels. */
export function parseMetrics(text) {
  const sums = new Map();
  for (const line of text.split("\n")) {
    const found = SAMPLE.exec(line);
    if (found) sums.set(found[1], (sums.get(found[1]) ?? 0) + Number(found[2]));
  }
  return (name) => sums.get(name) ?? 0;
}

/** What happened between two readings, `seconds` apart: what the charts show. */
export function between(before, now, seconds) {
  const grown = (name) => Math.max(0, now(name) - before(name)); // a service that started again counts from 0
  const mean = (name) => (grown(`${name}_count`) ? grown(`${name}_sum`) / grown(`${name}_count`) : 0);
  return {
    rate: grown("dvpt_pictures_total") / seconds,
    waiting: now("dvpt_queue_pictures"),
    pictures: mean("dvpt_batch_pictures"),
    tasks: mean("dvpt_batch_tasks"),
  };
}
