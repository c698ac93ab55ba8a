/**
 * One connection for the streams of all tabs: runs in a shared worker, or in one of the tabs. A browser has six
 * connections to a server, so six tabs with a stream each would leave none for anything else.
 */

import { EventStream } from "./sse.js";

const GATHER_MS = 30;
const SILENT_TAB_MS = 180_000; // a tab in the background says something once a minute
const MOST_STREAMS = 24;
const LONGEST = 5_000;
const HEARD_MS = 1_000; // a tab is told that often that something came

export class Streams {
  #wanted = new Map(); // tab + key → {port, key, job, after}
  #groups = new Map(); // what a connection carries → its stream and the wanted it carries
  #heard = new Map(); // port → when
  #ports = new Map(); // port → its number
  #count = 0;
  #gathering = null;
  #base;

  /** `base` is the page's address, which the API's are relative to. */
  constructor(base) {
    this.#base = base;
    setInterval(() => this.#forgetSilent(), SILENT_TAB_MS / 3);
  }

  /** Take a message of a tab; `port` is what it is answered by. */
  take(port, { kind, key, job, after }) {
    this.#heard.set(port, Date.now());
    if (kind === "follow") this.#wanted.set(this.#name(port, key), { port, key, job, after });
    if (kind === "leave") this.#wanted.delete(this.#name(port, key));
    if (kind === "bye") this.#forget(port);
    if (kind === "wake" || kind === "hold") for (const { stream } of this.#groups.values()) stream[kind]();
    if (kind !== "wake" && kind !== "hold" && kind !== "ping")
      this.#gathering ??= setTimeout(() => this.#connect(), GATHER_MS);
  }

  #name(port, key) {
    if (!this.#ports.has(port)) this.#ports.set(port, (this.#count += 1));
    return `${this.#ports.get(port)} ${key}`;
  }

  #forget(port) {
    this.#heard.delete(port);
    this.#ports.delete(port);
    for (const [name, one] of this.#wanted) if (one.port === port) this.#wanted.delete(name);
  }

  #forgetSilent() {
    const before = Date.now() - SILENT_TAB_MS;
    const silent = [...this.#heard].filter(([, at]) => at < before);
    for (const [port] of silent) this.#forget(port);
    if (silent.length) this.#connect();
  }

  /** Have a connection for what is wanted: one, unless there are very many. */
  #connect() {
    clearTimeout(this.#gathering);
    this.#gathering = null;
    const parts = grouped([...this.#wanted.entries()]);
    const names = new Set(parts.map((part) => part.map(([name]) => name).join("\n")));
    for (const [name, { stream }] of this.#groups) {
      if (names.has(name)) continue;
      stream.close();
      this.#groups.delete(name);
    }
    for (const part of parts) {
      const name = part.map(([one]) => one).join("\n");
      if (!this.#groups.has(name)) this.#groups.set(name, this.#open(part.map(([, one]) => one)));
    }
  }

  #open(carried) {
    let of = null;
    let batch = null;
    const send = (one, event, text, id) => {
      if (batch?.one !== one) {
        batch = { one, frames: [] };
        const { frames } = batch;
        queueMicrotask(() => {
          if (batch?.frames === frames) batch = null;
          one.port.postMessage({ kind: "frames", key: one.key, frames });
        });
      }
      batch.frames.push([event, text, id]);
    };
    let heard = -Infinity;
    const stream = new EventStream(() => this.#path(carried), {
      onHeard: () => {
        if (performance.now() - heard < HEARD_MS) return;
        heard = performance.now();
        for (const { port, key } of carried) port.postMessage({ kind: "heard", key });
      },
      onConnection: (state, problem) => {
        of = null;
        const told = problem && {
          status: problem.status ?? 0,
          title: problem.title ?? problem.name,
          detail: problem.detail ?? problem.message,
          retryAfter: problem.retryAfter ?? null,
        };
        for (const { port, key } of carried) port.postMessage({ kind: "connection", key, state, problem: told });
      },
      onFrame: (event, text, id) => {
        if (event === "from") of = carried[Number(text)];
        else if (of) {
          if (id !== null) of.after = id;
          send(of, event, text, id);
        }
      },
    });
    return { stream };
  }

  #path(carried) {
    const streams = JSON.stringify(carried.map(entry));
    return new URL(`api/live?${new URLSearchParams({ streams })}`, this.#base).href;
  }
}

const entry = ({ job, after }) => (job === null ? null : [job, after]);

/** Divide what is wanted into what a request's address has room for. */
function grouped(wanted) {
  const parts = [];
  let size = Infinity;
  for (const [name, one] of wanted) {
    const more = encodeURIComponent(JSON.stringify(entry({ ...one, after: "0".repeat(30) }))).length;
    if (size + more > LONGEST || parts.at(-1).length === MOST_STREAMS) {
      parts.push([]);
      size = 0;
    }
    parts.at(-1).push([name, one]);
    size += more;
  }
  return parts;
}
