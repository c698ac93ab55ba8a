/**
 * One series as a chart draws it: columns of buckets as the API has them, and behind them, as buckets
 * of one point each, the points that came live.
 */

/** Values that lie further apart have a distance that is no number; a linear axis can't show them. */
export const LARGEST_SPREAD = 4e307;

const NAMED = { NaN: NaN, Infinity: Infinity, "-Infinity": -Infinity };
const COLUMNS = ["start", "stop", "points", "min", "max", "last"];
const COUNTS = ["nans", "positive_infinite", "negative_infinite"];

/** Return a number of the API or of an event, where those that are not finite come as their names. */
export function toNumber(value) {
  return typeof value === "number" ? value : (NAMED[value] ?? NaN);
}

export class Line {
  /**
   * @param answer a series of the API, with `buckets`
   * @param toPlace turns a place of the API's axis into one of the drawn axis
   */
  constructor(answer, toPlace) {
    this.attempt = answer.attempt;
    this.rank = answer.rank;
    /** All points of the series, in view or not. */
    this.count = answer.count;
    this.isOrdered = true;
    this.liveCount = 0;
    const { buckets } = answer;
    for (const name of ["start", "stop"]) this[name] = buckets[name].map(toPlace);
    for (const name of ["min", "max", "last"]) this[name] = buckets[name].map(toNumber);
    for (const name of ["points", ...COUNTS]) this[name] = [...buckets[name]];
  }

  /** Return a line without points, of a series that the API does not know yet. */
  static empty({ attempt, rank }) {
    const none = Object.fromEntries([...COLUMNS, ...COUNTS].map((name) => [name, []]));
    return new Line({ attempt, rank, count: 0, buckets: none }, Number);
  }

  get length() {
    return this.start.length;
  }

  /** How many points are drawn, alone or in buckets. */
  get inView() {
    return sum(this.points);
  }

  get hasBuckets() {
    return this.points.some((points) => points > 1);
  }

  get nonFinite() {
    const [nans, plus, minus] = COUNTS.map((name) => sum(this[name]));
    return { nans, plus, minus };
  }

  /** Add a point that came live. Its `place` is null where the series lacks one on this axis. */
  append(place, value) {
    this.count += 1;
    if (place === null || !Number.isFinite(place)) return;
    this.liveCount += 1;
    if (this.length && place < this.stop[this.length - 1]) this.isOrdered = false;
    const finite = Number.isFinite(value) ? value : NaN;
    this.start.push(place);
    this.stop.push(place);
    this.points.push(1);
    this.min.push(finite);
    this.max.push(finite);
    this.last.push(value);
    this.nans.push(Number(Number.isNaN(value)));
    this.positive_infinite.push(Number(value === Infinity));
    this.negative_infinite.push(Number(value === -Infinity));
  }

  /** Return first and last place, or null when there is none. */
  extent() {
    return this.length ? [lowest(this.start), highest(this.stop)] : null;
  }

  /**
   * Return the lowest and highest value between two places, or null when there is none.
   *
   * @param {boolean} isLog take positive values only
   */
  range(from, to, isLog) {
    let [low, high] = [Infinity, -Infinity];
    for (let i = 0; i < this.length; i++) {
      if (this.stop[i] < from || this.start[i] > to) continue;
      for (const value of [this.min[i], this.max[i], this.last[i]]) {
        if (!Number.isFinite(value) || (isLog && value <= 0)) continue;
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    return low <= high ? [low, high] : null;
  }

  /** Return the number of the bucket at `place` or nearest to it; -1 when there is none. */
  nearest(place) {
    let best = -1;
    let least = Infinity;
    for (let i = 0; i < this.length; i++) {
      const distance = Math.max(this.start[i] - place, place - this.stop[i], 0);
      if (distance < least || (distance === least && distance === 0)) [best, least] = [i, distance];
    }
    return best;
  }
}

function sum(values) {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

function lowest(values) {
  let low = Infinity;
  for (const value of values) if (value < low) low = value;
  return low;
}

function highest(values) {
  let high = -Infinity;
  for (const value of values) if (value > high) high = value;
  return high;
}
