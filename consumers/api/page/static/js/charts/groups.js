/** Metrics in groups: pinned ones first, then by step and by the first part of their names; and groups in pages. */

const FIRST_PART = /^([^/.]+)[/.]./;
const PINNED = "pinned";
const MOST_HEADS = 100;

/**
 * Return the groups of `metrics`, in their order: `{key, step, prefix, metrics}`, of the pinned ones `isPinned`.
 *
 * Names share a group by what stands before their first slash or dot, if another one of the step has the same.
 */
export function grouped(metrics, pinned) {
  const shared = new Map();
  for (const metric of metrics) {
    const key = JSON.stringify([metric.step, firstPart(metric.name)]);
    shared.set(key, (shared.get(key) ?? 0) + 1);
  }
  const groups = new Map();
  const put = (key, head, metric) => {
    if (!groups.has(key)) groups.set(key, { key, ...head, metrics: [] });
    groups.get(key).metrics.push(metric);
  };
  for (const metric of metrics) {
    const { step, name } = metric;
    const own = JSON.stringify([step, firstPart(name)]);
    const prefix = shared.get(own) > 1 ? firstPart(name) : "";
    if (pinned.has(metric.key)) put(PINNED, { isPinned: true, step: null, prefix: "" }, metric);
    else put(JSON.stringify([step, prefix]), { isPinned: false, step, prefix }, metric);
  }
  const steps = new Map([...new Set(metrics.map(({ step }) => step))].map((step, number) => [step, number]));
  return [...groups.values()].sort(
    (a, b) => b.isPinned - a.isPinned || steps.get(a.step) - steps.get(b.step) || byText(a.prefix, b.prefix),
  );
}

/** Divide groups into pages of at most so many metrics: lists of {group, first, metrics}; a folded one has none. */
export function paged(groups, folded, size) {
  const pages = [[]];
  let room = size;
  for (const group of groups) {
    const metrics = folded.has(group.key) ? [] : group.metrics;
    for (let first = 0; first === 0 || first < metrics.length;) {
      if (room === 0 || pages.at(-1).length === MOST_HEADS) {
        pages.push([]);
        room = size;
      }
      const shown = metrics.slice(first, first + room);
      pages.at(-1).push({ group, first, metrics: shown });
      room -= shown.length;
      first += Math.max(1, shown.length);
    }
  }
  return pages;
}

const firstPart = (name) => FIRST_PART.exec(name)?.[1] ?? "";

const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
