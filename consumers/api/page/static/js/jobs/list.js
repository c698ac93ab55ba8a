/**
 * The jobs that the list shows: pages and live changes, merged by position, in the order in which the server got them:
 * a plugin's clock may be wrong. While someone reads, what comes newly waits.
 */

import { comparePositions } from "../lib/positions.js";
import { getJson, query } from "../server/api.js";

const PAGE = 200;
const ASK_MS = 2_000;

export class JobList {
  #byId = new Map();
  #fresh = new Map(); // what waits until it is to be shown
  #sorted = null;
  #order = []; // ids in the order of `filters.sort`
  #next = null; // job behind which more can be paged in
  #loading = null;
  #isLoaded = false; // the first page is here
  #asking = null; // until the API is asked which runs fit the filter by now
  #abort = new AbortController();

  /**
   * `onChange()` follows every change of `jobs`, `problem` or `isLoading`; `isRead()` tells whether rows must not
   * move.
   */
  constructor(onChange, isRead) {
    this.onChange = onChange;
    this.isRead = isRead;
    this.filters = { status: "", action: "", q: "", filter: "", sort: "", columns: "" };
    /** How many jobs to load at first, if there are so many. */
    this.least = 0;
    this.problem = null;
  }

  destroy() {
    clearTimeout(this.#asking);
    this.#abort.abort();
  }

  /** All that is loaded, the newest first, or in the order of `filters.sort` as the API has it. */
  get jobs() {
    this.#sorted ??= this.filters.sort
      ? this.#order.map((id) => this.#byId.get(id)).filter(Boolean)
      : [...this.#byId.values()].sort((a, b) => comparePositions(b.arrival, a.arrival));
    return this.#sorted;
  }

  /** How many wait to be shown. */
  get freshCount() {
    return this.#fresh.size;
  }

  /** Show what has waited. */
  showFresh() {
    if (this.#fresh.size === 0) return;
    for (const [id, summary] of this.#fresh) this.#byId.set(id, summary);
    this.#fresh.clear();
    this.#publish();
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
    this.#fresh.clear();
    this.#isLoaded = false;
    this.#next = null;
    this.refresh();
  }

  /** Read again what is shown, and what came newly; after the stream was away. */
  refresh() {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#loading = this.#load(null, Math.max(this.#byId.size, this.least));
    this.#publish();
  }

  /** Page in the next jobs, if there are any and nothing is being loaded. */
  more() {
    if (this.#loading === null && this.hasMore && this.problem === null) this.#loading = this.#load(this.#next, 1);
  }

  /** Take in what the stream says of a job. */
  merge(summary) {
    const { job_id: id } = summary;
    const known = this.#byId.get(id) ?? this.#fresh.get(id);
    if (known !== undefined && comparePositions(summary.position, known.position) < 0) return;
    const { filter, sort, columns } = this.filters;
    if (filter || sort || columns) {
      this.#asking ??= setTimeout(() => this.#askAgain(), ASK_MS);
      if ((filter || sort) && known === undefined) return;
      summary = { ...summary, values: known?.values };
    }
    if (!this.#matches(summary)) {
      if (this.#byId.delete(id) || this.#fresh.delete(id)) this.#publish();
      return;
    }
    // A job that is older than all that are shown has its place on a page that is not here yet.
    const last = this.jobs.at(-1);
    if (known === undefined && this.hasMore && last && comparePositions(summary.arrival, last.arrival) < 0) return;
    this.#put(summary);
    this.#publish();
  }

  /** Only the API knows what fits the filter, and the order; rows that are read must not change places. */
  #askAgain() {
    const isLater = this.filters.sort && this.isRead();
    this.#asking = isLater ? setTimeout(() => this.#askAgain(), ASK_MS) : null;
    if (!isLater) this.refresh();
  }

  /** Load pages behind the job `after`, until there are `wanted` jobs or no more. */
  async #load(after, wanted) {
    const { signal } = this.#abort;
    try {
      let answer = { next: after };
      const fitting = [];
      for (let read = 0; read === 0 || (answer.next !== null && read < wanted); read += PAGE) {
        answer = await getJson(`api/jobs${query({ ...this.filters, after: answer.next, limit: PAGE })}`, { signal });
        for (const summary of answer.jobs) {
          fitting.push(summary.job_id);
          this.#keepNewer(summary, after !== null || this.filters.sort);
        }
      }
      this.#next = answer.next;
      this.#isLoaded = true;
      this.least = 0;
      const { filter, sort } = this.filters;
      if (sort) this.#order = [...new Set(after === null ? fitting : [...this.#order, ...fitting])];
      else if (this.hasMore && answer.jobs.length) this.#dropOlder(answer.jobs.at(-1));
      if ((filter || sort) && after === null) this.#keepOnly(new Set(fitting));
      this.problem = null;
    } catch (problem) {
      if (signal.aborted) return;
      this.problem = problem;
    }
    this.#loading = null;
    this.#publish();
  }

  #keepNewer(summary, isNextPage) {
    const known = this.#byId.get(summary.job_id) ?? this.#fresh.get(summary.job_id);
    if (known && comparePositions(summary.position, known.position) < 0) return;
    if (isNextPage) this.#byId.set(summary.job_id, summary);
    else this.#put(summary);
  }

  /** A job that is not shown yet would move rows, so it waits while they are read. */
  #put(summary) {
    const { job_id: id } = summary;
    const waits =
      !this.#byId.has(id) && (this.#fresh.has(id) || (this.#byId.size > 0 && this.#isLoaded && this.isRead()));
    (waits ? this.#fresh : this.#byId).set(id, summary);
  }

  #keepOnly(fitting) {
    for (const id of this.#byId.keys()) if (!fitting.has(id)) this.#byId.delete(id);
  }

  /** What lies behind the pages that are loaded would hide a gap; it comes again with its page. */
  #dropOlder({ arrival }) {
    for (const [id, job] of this.#byId) if (comparePositions(job.arrival, arrival) < 0) this.#byId.delete(id);
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
