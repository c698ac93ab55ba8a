/** The jobs that the list shows: pages and live changes, merged by position. */

import { getJson, query } from "./api.js";
import { comparePositions } from "./positions.js";

const PAGE = 200;

export class JobList {
  #byId = new Map();
  #sorted = null;
  #next = null; // job behind which more can be paged in
  #loading = null;
  #abort = new AbortController();

  /** `onChange()` follows every change of `jobs`, `problem` or `isLoading`. */
  constructor(onChange) {
    this.onChange = onChange;
    this.filters = { status: "", action: "", q: "" };
    this.problem = null;
  }

  destroy() {
    this.#abort.abort();
  }

  /** All that is loaded, the newest first. */
  get jobs() {
    this.#sorted ??= [...this.#byId.values()].sort((a, b) => b.started - a.started);
    return this.#sorted;
  }

  get hasMore() {
    return this.#next !== null;
  }

  get isLoading() {
    return this.#loading !== null;
  }

  /** Show what matches `filters` from now on. */
  filter(filters) {
    this.filters = filters;
    this.#byId.clear();
    this.#next = null;
    this.refresh();
  }

  /** Read again what is shown, and what came newly; after the stream was away. */
  refresh() {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#loading = this.#load(null, this.#byId.size);
    this.#publish();
  }

  /** Page in the next jobs, if there are any and nothing is being loaded. */
  more() {
    if (this.#loading === null && this.hasMore && this.problem === null) this.#loading = this.#load(this.#next, 1);
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
    if (known === undefined && this.hasMore && summary.started < (this.jobs.at(-1)?.started ?? 0)) return;
    this.#byId.set(summary.job_id, summary);
    this.#publish();
  }

  /** Load pages behind the job `after`, until there are `wanted` jobs or no more. */
  async #load(after, wanted) {
    const { signal } = this.#abort;
    try {
      let answer = { next: after };
      for (let read = 0; read === 0 || (answer.next !== null && read < wanted); read += PAGE) {
        answer = await getJson(`api/jobs${query({ ...this.filters, after: answer.next, limit: PAGE })}`, { signal });
        for (const summary of answer.jobs) this.#keepNewer(summary);
      }
      this.#next = answer.next;
      if (this.hasMore) this.#dropOlder(answer.jobs.at(-1));
      this.problem = null;
    } catch (problem) {
      if (signal.aborted) return;
      this.problem = problem;
    }
    this.#loading = null;
    this.#publish();
  }

  #keepNewer(summary) {
    const known = this.#byId.get(summary.job_id);
    if (!known || comparePositions(summary.position, known.position) >= 0) this.#byId.set(summary.job_id, summary);
  }

  /** What lies behind the pages that are loaded would hide a gap; it comes again with its page. */
  #dropOlder({ started }) {
    for (const [id, job] of this.#byId) if (job.started < started) this.#byId.delete(id);
  }

  #matches({ job_id: id, status, action }) {
    const { filters } = this;
    if (filters.status && status !== filters.status) return false;
    if (filters.action && action !== filters.action) return false;
    const part = filters.q.toLowerCase();
    return !part || id.toLowerCase().includes(part) || (action ?? "").toLowerCase().includes(part);
  }

  #publish() {
    this.#sorted = null;
    this.onChange();
  }
}
