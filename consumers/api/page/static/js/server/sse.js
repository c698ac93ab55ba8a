/**
 * Server-sent events over fetch instead of EventSource, for what that hides: the status of a refusal (401 asks for a
 * token, 503 says when to come again; EventSource gives up on both) and the keep-alive comments, whose absence is the
 * only sign of a half-open connection.
 */

import { Problem, request } from "./request.js";

const SILENCE_MS = 25_000; // there is a keep-alive comment every 15 s
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5_000;

export class EventStream {
  #abort = new AbortController();
  #wake = () => {};
  #isClosed = false;
  #isHeld = false;
  #waitMs = FIRST_WAIT_MS;
  #path;
  #onConnection;
  #onFrame;
  #onHeard;

  /**
   * `path()` returns where to connect; onFrame(event, text, id) gets each frame; onHeard() is told of every sign of
   * life; onConnection(state, problem): connecting, live, reconnecting, refused.
   */
  constructor(path, { onConnection, onFrame, onHeard }) {
    this.#path = path;
    this.#onConnection = onConnection;
    this.#onFrame = onFrame;
    this.#onHeard = onHeard;
    this.#run();
  }

  close() {
    this.#isClosed = true;
    this.#abort.abort();
    this.#wake();
  }

  /** Try again now, if it waits. */
  wake() {
    this.#isHeld = false;
    this.#wake();
  }

  /** There is no network: connect again when that is over, at `wake`. */
  hold() {
    this.#isHeld = true;
    this.#abort.abort();
  }

  async #run() {
    this.#onConnection("connecting", null);
    while (!this.#isClosed) {
      const problem = await this.#follow().catch((error) => error);
      if (this.#isClosed) return;
      const isRefused = problem?.status === 404 || problem?.status === 403; // a job may begin yet
      this.#onConnection(isRefused ? "refused" : "reconnecting", problem);
      await this.#pause(problem);
    }
  }

  /** Read one connection to its end; return the problem that ended it. */
  async #follow() {
    this.#abort = new AbortController();
    const headers = { Accept: "text/event-stream" };
    const { signal } = this.#abort;
    const response = await request(this.#path(), { headers, signal, cache: "no-store" });
    this.#onConnection("live", null);
    this.#waitMs = FIRST_WAIT_MS;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let watchdog = null;
    let rest = "";
    try {
      for (;;) {
        watchdog = setTimeout(() => this.#abort.abort(), SILENCE_MS);
        const { done, value } = await reader.read();
        clearTimeout(watchdog);
        this.#onHeard();
        if (done) return new Problem(0, "The stream ended", "");
        rest = this.#take(rest + value);
      }
    } finally {
      clearTimeout(watchdog);
      this.#abort.abort();
    }
  }

  /** Hand out every whole frame of `text`; return what is left. */
  #take(text) {
    const end = text.lastIndexOf("\n\n");
    if (end < 0) return text;
    for (const frame of text.slice(0, end).split("\n\n")) this.#deliver(frame);
    return text.slice(end + 2);
  }

  #deliver(frame) {
    const fields = {};
    for (const line of frame.split("\n")) {
      const colon = line.indexOf(":");
      if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, "");
    }
    if (fields.data === undefined) return;
    this.#onFrame(fields.event, fields.data, fields.id ?? null);
  }

  #pause(problem) {
    const wait = problem?.retryAfter ? problem.retryAfter * 1000 : this.#waitMs * (0.75 + Math.random() / 2);
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
    return new Promise((resolve) => {
      const timer = this.#isHeld ? null : setTimeout(resolve, wait);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
