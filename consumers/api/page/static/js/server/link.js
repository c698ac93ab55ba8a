/**
 * The way from this tab to the connection of all tabs: a shared worker; where there is none, the tab that leads; where
 * tabs cannot agree who that is, this tab.
 */

import { Streams } from "./streams.js";

const NAME = "synapse-stream live 1";
const PING_MS = 50_000;

class Link {
  #subscribers = new Map();
  #send = () => {};
  #number = 0;

  constructor() {
    this.#choose();
    setInterval(() => this.#send({ kind: navigator.onLine ? "wake" : "ping" }), PING_MS);
    addEventListener("online", () => this.#send({ kind: "wake" }));
    addEventListener("offline", () => this.#send({ kind: "hold" }));
    addEventListener("pagehide", () => this.#send({ kind: "bye" }));
    addEventListener("pageshow", ({ persisted }) => persisted && this.#again());
  }

  /** Follow a job, or with null the list; returns how to leave. */
  follow(subscriber) {
    const key = String((this.#number += 1));
    this.#subscribers.set(key, subscriber);
    this.#follow(key, subscriber);
    return () => {
      this.#subscribers.delete(key);
      this.#send({ kind: "leave", key });
    };
  }

  /** Connect again at once: someone has signed in. */
  wake() {
    this.#send({ kind: "wake" });
  }

  #follow(key, { job, after }) {
    this.#send({ kind: "follow", key, job, after });
  }

  /** Say again what this tab follows: who holds the connection is another one, or has forgotten it. */
  #again() {
    for (const [key, subscriber] of this.#subscribers) this.#follow(key, subscriber);
  }

  #take = ({ kind, key, frames, state, problem }) => {
    const subscriber = this.#subscribers.get(key);
    if (kind === "heard") subscriber?.onHeard();
    if (kind === "connection") subscriber?.onConnection(state, problem);
    if (kind === "frames") for (const frame of frames) this.#subscribers.get(key)?.onFrame(...frame);
  };

  #choose() {
    if ("SharedWorker" in globalThis) return this.#useWorker();
    if ("BroadcastChannel" in globalThis && navigator.locks) return this.#useLeader();
    return this.#useOwn();
  }

  #useWorker() {
    try {
      const worker = new SharedWorker(new URL("worker.js", import.meta.url), { type: "module", name: NAME });
      worker.port.onmessage = ({ data }) => this.#take(data);
      worker.onerror = () => {
        this.#useOwn(); // it could not be loaded
        this.#again();
      };
      this.#send = (message) => worker.port.postMessage(message);
    } catch {
      this.#useOwn();
    }
  }

  #useOwn() {
    const streams = new Streams(document.baseURI);
    const port = { postMessage: (message) => this.#take(message) };
    this.#send = (message) => streams.take(port, message);
  }

  /** The tab that has the lock leads, and passes on what is for others; when it goes, another gets the lock. */
  #useLeader() {
    const channel = new BroadcastChannel(NAME);
    const me = Math.random().toString(36).slice(2);
    this.#send = (message) => channel.postMessage({ from: me, message });
    channel.onmessage = ({ data }) => {
      if (data.to === me) this.#take(data.message);
      else if (data.to === "all") this.#again();
    };
    navigator.locks.request(NAME, () => {
      const streams = new Streams(document.baseURI);
      const ports = new Map();
      const portOf = (id) => {
        if (!ports.has(id)) ports.set(id, { postMessage: (message) => channel.postMessage({ to: id, message }) });
        return ports.get(id);
      };
      const own = { postMessage: (message) => this.#take(message) };
      channel.onmessage = ({ data }) => data.from && streams.take(portOf(data.from), data.message);
      this.#send = (message) => streams.take(own, message);
      channel.postMessage({ to: "all" });
      this.#again();
      return new Promise(() => {}); // until this tab is closed
    });
  }
}

let link = null;

/** A stream of the one connection, as a page uses it: `frames` by event name; `position` is where it stands. */
export class TabStream {
  constructor(job, { after = null, onConnection = () => {}, onHeard = () => {}, frames }) {
    link ??= new Link();
    const subscriber = {
      job,
      after,
      onConnection,
      onHeard,
      onFrame(event, text, id) {
        if (id !== null) subscriber.after = id;
        const data = JSON.parse(text);
        if (event === "refused") onConnection("refused", { ...data, message: data.detail });
        try {
          frames[event]?.(data, id);
        } catch (error) {
          reportError(error); // a fault of the page must not end the stream
        }
      },
    };
    this.subscriber = subscriber;
    this.close = link.follow(subscriber);
  }

  /** Position of the last frame that had one. */
  get position() {
    return this.subscriber.after;
  }
}

export const wakeStreams = () => link?.wake();
