/** Positions in a job's stream, printed "ms-seq.index": compared as numbers, never as text. */

const FORM = /^(\d+)-(\d+)\.(\d+)$/;

/** Return below 0, 0 or above 0, as `a` lies before, at or behind `b`; null lies before all. */
export function comparePositions(a, b) {
  if (a === b) return 0;
  if (a === null) return -1;
  if (b === null) return 1;
  const [one, other] = [parts(a), parts(b)];
  const place = one.findIndex((part, i) => part !== other[i]);
  return place < 0 ? 0 : one[place] < other[place] ? -1 : 1;
}

export const isAfter = (a, b) => comparePositions(a, b) > 0;

export const laterOf = (a, b) => (isAfter(a, b) ? a : b);

function parts(position) {
  const found = FORM.exec(position);
  if (!found) throw new Error(`not a position: ${position}`);
  return found.slice(1).map(BigInt);
}
