/** The jobs that the list shows: pages and live changes, merged by position. */

import { getJson, query } from "./api.js";
import { comparePositions } from "./positions.js";

const PAGE = 200;

export class JobList {
  #byId = new Map();
  #next = null;
  #loading = null;
  #generation = 0;

  /** `onChange()` follows every change of `jobs`, `problem` or `isLoading`. */
  constructor(onChange) {
    this.onChange = onChange;
    this.filters = { status: "", action: "", q: "" };
    this.jobs = [];
    this.problem = null;
    this.isLoading = false;
  }

  /** True when more can be paged in. */
  get hasMore() {
    return this.#next !== null;
  }

  /** Show what matches `filters` from now on. */
  filter(filters) {
    this.filters = filters;
    this.#byId.clear();
    this.#publish();
    return this.refresh();
  }

  /** Read again what is shown, and what came newly; after the stream was away. */
  async refresh() {
    this.#generation += 1;
    const wanted = Math.max(this.#byId.size, 1);
    this.#next = null;
    this.#loading = null;
    do await this.more({ isFirst: this.#next === null });
    while (this.hasMore && this.problem === null && this.#loadedAll < wanted);
  }

  /** Page in the next jobs; one request at a time. */
  more({ isFirst = false } = {}) {
    if (!isFirst && !this.hasMore) return Promise.resolve();
    this.#loading ??= this.#page(isFirst ? null : this.#next).finally(() => (this.#loading = null));
    return this.#loading;
  }

  /** Take in what the stream says of a job. */
  merge(summary) {
    const known = this.#byId.get(summary.job_id);
    if (known !== undefined && comparePositions(summary.position, known.position) < 0) return;
    if (!this.#matches(summary)) {
      if (this.#byId.delete(summary.job_id)) this.#publish();
      return;
    }
    // A job that is older than all that are shown has its place on a page that is not here yet.
    const oldest = this.jobs.at(-1);
    if (known === undefined && this.hasMore && oldest && summary.started < oldest.started) return;
    this.#byId.set(summary.job_id, summary);
    this.#publish();
  }

  #loadedAll = 0;

  async #page(after) {
    const generation = this.#generation;
    this.isLoading = true;
    this.onChange();
    try {
      const answer = await getJson(`api/jobs${query({ ...this.filters, after, limit: PAGE })}`);
      if (generation !== this.#generation) return;
      this.#loadedAll = (after === null ? 0 : this.#loadedAll) + answer.jobs.length;
      this.#next = answer.next;
      this.problem = null;
      for (const summary of answer.jobs) this.#keepNewer(summary);
    } catch (problem) {
      if (generation === this.#generation) this.problem = problem;
    } finally {
      if (generation === this.#generation) this.isLoading = false;
      this.#publish();
    }
  }

  #keepNewer(summary) {
    const known = this.#byId.get(summary.job_id);
    if (!known || comparePositions(summary.position, known.position) >= 0) this.#byId.set(summary.job_id, summary);
  }

  #matches({ job_id: id, status, action }) {
    const { filters } = this;
    if (filters.status && status !== filters.status) return false;
    if (filters.action && action !== filters.action) return false;
    const part = filters.q.toLowerCase();
    return !part || id.toLowerCase().includes(part) || (action ?? "").toLowerCase().includes(part);
  }

  #publish() {
    this.jobs = [...this.#byId.values()].sort((a, b) => b.started - a.started);
    this.onChange();
  }
}
