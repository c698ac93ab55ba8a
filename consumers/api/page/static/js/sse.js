/**
 * Server-sent events over fetch instead of EventSource, for what that hides: the status of a refusal (401 asks for a
 * token, 503 says when to come again; EventSource gives up on both) and the keep-alive comments, whose absence is the only sign
 * of a half-open connection.
 */

import { Problem, request } from "./api.js";

const SILENCE_MS = 40_000; // there is a keep-alive comment every 15 s
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5_000;

export class EventStream {
  #abort = new AbortController();
  #wake = () => {};
  #isClosed = false;
  #lastId;
  #waitMs = FIRST_WAIT_MS;
  #onConnection;
  #frames;

  /** `frames`: event name → function(data, id). onConnection(state, problem): connecting, live, reconnecting, refused. */
  constructor(path, { after = null, onConnection = () => {}, frames }) {
    this.path = path;
    this.#lastId = after;
    this.#onConnection = onConnection;
    this.#frames = frames;
    addEventListener("online", this.#online);
    addEventListener("offline", this.#offline);
    this.#run();
  }

  /** Position of the last frame that had one: where a new connection goes on. */
  get position() {
    return this.#lastId;
  }

  close() {
    this.#isClosed = true;
    removeEventListener("online", this.#online);
    removeEventListener("offline", this.#offline);
    this.#abort.abort();
    this.#wake();
  }

  #online = () => this.#wake();
  #offline = () => this.#abort.abort();

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
    if (this.#lastId !== null) headers["Last-Event-ID"] = this.#lastId;
    const { signal } = this.#abort;
    const response = await request(this.path, { headers, signal, cache: "no-store" });
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
    const id = fields.id ?? null;
    if (id !== null) this.#lastId = id;
    try {
      this.#frames[fields.event]?.(JSON.parse(fields.data), id);
    } catch (error) {
      reportError(error); // a fault of the page must not end the stream
    }
  }

  #pause(problem) {
    const wait = problem?.retryAfter ? problem.retryAfter * 1000 : this.#waitMs * (0.75 + Math.random() / 2);
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, wait);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
