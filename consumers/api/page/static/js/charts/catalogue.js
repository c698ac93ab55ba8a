/** Which metrics a job has: a metric is a step and a name, its series are those of attempts and ranks. */

import { isAfter } from "../lib/positions.js";
import { getJson, jobPath, query } from "../server/api.js";

const PAGE = 1000;
const MOST = 50_000;

export class Catalogue {
  #jobId;
  #metrics = new Map();
  #sorted = null;
  #held = null; // a listing had all up to here

  constructor(jobId) {
    this.#jobId = jobId;
    /** All metrics up to here must be listed; those behind it are told otherwise. */
    this.owed = null;
  }

  /** True when the listing is to be loaded once more: the API's view was behind. */
  get isBehind() {
    return isAfter(this.owed, this.#held);
  }

  /** Yield after each page of the listing, so that the first charts need not wait for the last. */
  async *load(signal) {
    let after = null;
    let position; // of the first page: a series that came later may belong on a page that was passed
    do {
      const answer = await getJson(jobPath(this.#jobId, "/series") + query({ limit: PAGE, after }), { signal });
      for (const series of answer.series) this.add(series);
      position ??= answer.position;
      after = answer.next;
      yield;
    } while (after);
    this.#held = position;
  }

  /** Note a series, with its summary where the API tells it; returns true when its metric is new. */
  add(series) {
    const { step, name } = series;
    const key = JSON.stringify([step, name]);
    const known = this.#metrics.get(key);
    const metric = known ?? { key, step, name, hasX: false, series: new Map() };
    metric.hasX ||= series.has_x;
    metric.series.set(`${series.attempt}/${series.rank}`, series);
    this.#metrics.set(key, metric);
    if (!known) this.#sorted = null;
    return !known;
  }

  get(step, name) {
    return this.#metrics.get(JSON.stringify([step, name]));
  }

  metric(key) {
    return this.#metrics.get(key);
  }

  /** True when the API shows no further ones either. */
  get isFull() {
    return this.#metrics.size >= MOST;
  }

  get size() {
    return this.#metrics.size;
  }

  /**
   * Return the metrics that `finds` finds: by step, those without one last, and by name. So a chart stays where it is,
   * in whatever order metrics are listed or come live.
   */
  matching(finds = () => true) {
    this.#sorted ??= [...this.#metrics.values()].sort(inOrder);
    return this.#sorted.filter(finds);
  }

  /** Return the values that a field of the series has, `attempt` or `rank`, in order. */
  all(field) {
    const found = new Set();
    for (const { series } of this.#metrics.values()) for (const one of series.values()) found.add(one[field]);
    return [...found].sort((a, b) => a - b);
  }
}

function inOrder(a, b) {
  if (a.step !== b.step) return a.step === null ? 1 : b.step === null ? -1 : byText(a.step, b.step);
  return byText(a.name, b.name);
}

const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
