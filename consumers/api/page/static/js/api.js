/** The API: answers as objects, errors as `Problem`s, live streams that never give up. */

import { EventStream } from "./sse.js";

/** An answer that is an error: RFC 9457, or no answer at all (status 0). */
export class Problem extends Error {
  constructor(status, title, detail, retryAfter = null) {
    super(detail || title);
    Object.assign(this, { name: "Problem", status, title, detail, retryAfter });
  }
}

let clockOffset = 0;
let clockRead = -Infinity;
let signIn = null;
let signingIn = null;

/** Return the server's clock now, in milliseconds. */
export const serverNow = () => Date.now() + clockOffset;

/** Note the server's clock as an answer says it; the quickest answers tell it best, the newest will do. */
export function noteClock(nowMs) {
  if (typeof nowMs !== "number" || performance.now() - clockRead < 10_000) return;
  clockOffset = nowMs - Date.now();
  clockRead = performance.now();
}

/** Have `ask` called when the server wants to know who asks; it resolves when it knows. */
export function onSignInNeeded(ask) {
  signIn = ask;
}

export const jobPath = (jobId, rest = "") => `api/jobs/${encodeURIComponent(jobId)}${rest}`;

/** Return "?a=1&b=2" of what is neither null, false nor empty; lists are repeated; what is `exact` may be empty. */
export function query(values, exact = {}) {
  const pairs = Object.entries(values).flatMap(([key, value]) =>
    [value].flat().filter((item) => item !== null && item !== undefined && item !== false && item !== "")
      .map((item) => [key, item]));
  pairs.push(...Object.entries(exact));
  return pairs.length ? `?${new URLSearchParams(pairs)}` : "";
}

/** Send a request; after a 401 once more, when someone has signed in. */
export async function request(path, options = {}) {
  const response = await send(path, options);
  if (response.status === 401 && signIn !== null && !options.isSignIn) {
    signingIn ??= signIn().finally(() => (signingIn = null));
    await signingIn;
    return check(await send(path, options));
  }
  return check(response);
}

export async function getJson(path, options) {
  const answer = await (await request(path, options)).json();
  noteClock(answer.now_ms);
  return answer;
}

async function send(path, { isSignIn: _, ...options }) {
  try {
    return await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "No connection", "The server cannot be reached.");
  }
}

async function check(response) {
  if (response.ok) return response;
  const { title, detail } = await response.json().catch(() => ({}));
  const retryAfter = Number(response.headers.get("Retry-After")) || null;
  throw new Problem(response.status, title ?? response.statusText, detail ?? "", retryAfter);
}

/**
 * Follow a job. Handlers: onSnapshot(job, position), onEvent(recorded), onState(job), onCoalesced({events, until}),
 * onReset({reason}), onConnection(state, problem). Returns an `EventStream`: close() it.
 */
export function live(jobId, { after = null, ...handlers }) {
  return new EventStream(jobPath(jobId, "/live"), {
    after,
    onConnection: handlers.onConnection,
    frames: {
      snapshot: (job, id) => {
        noteClock(job.now_ms);
        handlers.onSnapshot?.(job, id);
      },
      event: (recorded) => handlers.onEvent?.(recorded),
      state: (job) => {
        noteClock(job.now_ms);
        handlers.onState?.(job);
      },
      coalesced: (gap) => handlers.onCoalesced?.(gap),
      reset: (reason) => handlers.onReset?.(reason),
    },
  });
}

/** Follow the run states of all jobs: onJob(summary), onConnection(state, problem). */
export function jobsLive({ onJob, onConnection }) {
  return new EventStream("api/live", { onConnection, frames: { job: onJob } });
}
