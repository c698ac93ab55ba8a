/** Many series as one: at each place their lowest, their highest, and the mean of what each had last. */

import { Line } from "./line.js";

const COUNTS = ["points", "nans", "positive_infinite", "negative_infinite"];

/**
 * Return one line of several.
 *
 * Places are those of the series while each bucket is a point; else the axis is cut into as many equal parts as the
 * series with the most buckets has. A series that has several buckets in a part counts by its last one in the mean;
 * lowest and highest are of all. A series without a finite value in a part has no share in its mean.
 *
 * @param {Line[]} lines of one attempt, each in the order of the axis
 */
export function together(lines) {
  const cells = lines.some(({ hasBuckets }) => hasBuckets) ? equalCells(lines) : ownCells(lines);
  const parts = new Map();
  for (const line of lines) add(parts, line, cells);
  const ordered = [...parts].sort(([a], [b]) => a - b).map(([, part]) => part);
  const column = (read) => ordered.map(read);
  const buckets = Object.fromEntries(COUNTS.map((name) => [name, column((part) => part[name])]));
  Object.assign(buckets, {
    start: column(({ start }) => start),
    stop: column(({ stop }) => stop),
    min: column(({ min }) => (min === Infinity ? NaN : min)),
    max: column(({ max }) => (max === -Infinity ? NaN : max)),
    last: column(({ sum, shares }) => (shares ? sum / shares : NaN)),
  });
  const count = lines.reduce((total, line) => total + line.count, 0);
  const line = new Line({ attempt: lines[0].attempt, rank: null, count, buckets }, Number);
  line.series = lines.length;
  return line;
}

function add(parts, line, cellOf) {
  let [cell, last] = [null, NaN];
  const share = () => {
    if (cell === null || !Number.isFinite(last)) return;
    const part = parts.get(cell);
    part.sum += last;
    part.shares += 1;
  };
  for (let i = 0; i < line.length; i++) {
    const at = cellOf(line.stop[i]);
    if (at !== cell) {
      share();
      [cell, last] = [at, NaN];
    }
    if (!parts.has(at)) parts.set(at, emptyPart());
    const part = parts.get(at);
    part.start = Math.min(part.start, line.start[i]);
    part.stop = Math.max(part.stop, line.stop[i]);
    if (line.min[i] < part.min) part.min = line.min[i];
    if (line.max[i] > part.max) part.max = line.max[i];
    for (const name of COUNTS) part[name] += line[name][i];
    if (Number.isFinite(line.last[i])) last = line.last[i];
  }
  share();
}

const emptyPart = () => ({
  start: Infinity,
  stop: -Infinity,
  min: Infinity,
  max: -Infinity,
  sum: 0,
  shares: 0,
  ...Object.fromEntries(COUNTS.map((name) => [name, 0])),
});

const ownCells = () => (place) => place;

function equalCells(lines) {
  const extents = lines.map((line) => line.extent()).filter(Boolean);
  const low = Math.min(...extents.map(([from]) => from));
  const high = Math.max(...extents.map(([, to]) => to));
  const most = Math.max(...lines.map(({ length }) => length));
  const width = (high - low) / most || 1;
  return (place) => Math.min(most - 1, Math.floor((place - low) / width));
}
