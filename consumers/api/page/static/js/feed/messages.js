/**
 * The messages of a job that match a filter: pages from the API and what comes live, each once and in order.
 *
 * The API's view may be behind the stream. So what the stream sends waits until the view holds everything up to where
 * the waiting began; from then on it is added as it comes.
 */

import { isAfter, laterOf } from "../lib/positions.js";
import { getJson, jobPath, query } from "../server/api.js";

const PAGE = 500;
const OLDER_PAGE = 1000; // who reads back wants to get far
const MOST_KEPT = 120_000;
const KEPT = 100_000;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 4_000;
const TEXT_OF = { message: "content", dev_event: "message", log: "event" };

export class Messages {
  #seen = null; // the stream has sent everything up to here
  #upto = null; // the items hold everything up to here
  #waiting = [];
  #isJoined = false;
  #isDetached = false; // the items are an old part of the feed, for replay
  #until = null;
  #abort = new AbortController();
  #olderRequest = null;

  /** `onChange()` follows every change of what is `shown`. */
  constructor(jobId, onChange) {
    this.jobId = jobId;
    this.onChange = onChange;
    this.filters = { levels: [], step: null, text: "", dev: false };
    this.items = [];
    this.hasOlder = false;
    this.isLoading = true;
    this.problem = null;
    /** Number of the first item; falls when earlier ones are put before it. */
    this.first = 0;
  }

  destroy() {
    this.#abort.abort();
  }

  /** How many items are at or before the moment that is shown. */
  get shownCount() {
    if (this.#until === null) return this.items.length;
    let [low, high] = [0, this.items.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isAfter(this.items[middle].position, this.#until)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  get shown() {
    return this.#until === null ? this.items : this.items.slice(0, this.shownCount);
  }

  filter(change) {
    this.filters = { ...this.filters, ...change };
    return this.reload();
  }

  /** Show the newest page, or with a moment set the one before it. */
  async reload() {
    this.#abort.abort();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#isJoined = false;
    this.#isDetached = this.#until !== null;
    this.#olderRequest = null;
    this.isLoading = true;
    this.onChange();
    await untilAborted(signal, async () => {
      this.#replace(await this.#ask({ until: this.#until }, signal));
      if (!this.#isDetached && this.#seen !== null) await this.#join(signal);
    });
  }

  /** The stream begins behind `position`. */
  startAt(position) {
    this.#seen = position;
    this.#isJoined = false;
    if (this.isLoading || this.#isDetached) return;
    const { signal } = this.#abort;
    untilAborted(signal, () => this.#join(signal));
  }

  /** Take an event of the stream, in its order. */
  add(recorded) {
    this.#seen = recorded.position;
    if (this.#isDetached || !this.#matches(recorded.event)) return;
    if (!this.#isJoined) this.#waiting.push(recorded);
    else this.#append([toItem(recorded)]);
  }

  /** Put the page before the first item in front; one request at a time. */
  older() {
    if (!this.hasOlder || this.isLoading || this.items.length === 0) return;
    const { signal } = this.#abort;
    this.#olderRequest ??= untilAborted(signal, async () => {
      const answer = await this.#ask({ before: this.items[0].position, limit: OLDER_PAGE }, signal);
      this.items = answer.messages.concat(this.items);
      this.first -= answer.messages.length;
      this.hasOlder = answer.has_more;
      this.#olderRequest = null;
      this.onChange();
    });
  }

  /** Show the feed as it was at a position; null: as it is. */
  setUntil(position) {
    this.#until = position;
    const isHere = !this.hasOlder || (this.items.length > 0 && !isAfter(this.items[0].position, position));
    const isWhole = this.#isDetached
      ? position !== null && !isAfter(position, this.#upto) && isHere
      : position === null || isHere;
    if (isWhole && !this.isLoading) this.onChange();
    else this.reload();
  }

  /** Ask for a page until there is an answer: a server that is away comes back, a job that is not known may begin. */
  async #ask(range, signal) {
    const { levels, step, text, dev } = this.filters;
    const wanted = query({ level: levels, step, text, dev, limit: PAGE, ...range });
    for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
      try {
        const answer = await getJson(jobPath(this.jobId, `/messages${wanted}`), { signal });
        this.problem = null;
        return answer;
      } catch (problem) {
        signal.throwIfAborted();
        this.problem = problem;
        this.onChange();
        await sleep(wait, signal);
      }
    }
  }

  #replace(answer) {
    this.items = answer.messages;
    this.first = 0;
    this.hasOlder = answer.has_more;
    this.isLoading = false;
    this.#upto = this.#until ?? answer.position;
    this.onChange();
  }

  /** Read on until the view holds what the stream had sent when this began, then add what came since. */
  async #join(signal) {
    const need = this.#seen;
    this.#waiting = [];
    for (let wait = FIRST_WAIT_MS; isAfter(need, this.#upto); wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
      const last = this.items.at(-1)?.position ?? null;
      const answer = await this.#ask({ after: last }, signal);
      if (last === null) this.#replace(answer);
      else this.#append(answer.messages);
      if (!answer.has_more || last === null) this.#upto = answer.position;
      if (isAfter(need, this.#upto) && !answer.has_more) await sleep(wait, signal);
    }
    const held = laterOf(this.#upto, this.items.at(-1)?.position ?? null);
    this.#append(this.#waiting.filter(({ position }) => isAfter(position, held)).map(toItem));
    this.#waiting = [];
    this.#isJoined = true;
  }

  #append(items) {
    if (items.length === 0) return;
    this.items.push(...items);
    if (this.items.length > MOST_KEPT) {
      this.first += this.items.length - KEPT;
      this.items = this.items.slice(-KEPT);
      this.hasOlder = true;
    }
    this.onChange();
  }

  #matches({ type, level, step = null, ...event }) {
    const { levels, text, dev } = this.filters;
    const content = event[TEXT_OF[type]];
    if (typeof content !== "string" || (type !== "message" && !dev)) return false;
    if (levels.length > 0 && !levels.includes(type === "dev_event" ? "debug" : (level ?? "info"))) return false;
    if (this.filters.step !== null && step !== this.filters.step) return false;
    return content.toLowerCase().includes(text.toLowerCase());
  }
}

/** Return an event of the stream as the API's pages have it. */
function toItem({ position, event, rank, attempt }) {
  const { type: kind, time, step = null, key = null, file = null, params = {}, data = null } = event;
  const level = kind === "dev_event" ? "debug" : (event.level ?? "info");
  return { position, time, kind, level, step, rank, attempt, content: event[TEXT_OF[kind]], key, file, params, data };
}

/** Do `work`; that it was given up is no error. */
async function untilAborted(signal, work) {
  try {
    await work();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}
