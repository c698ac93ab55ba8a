/** The API: answers as objects, errors as `Problem`s, live streams that never give up. */

import { noteHeard, noteServer } from "./away.js";
import { TabStream, wakeStreams } from "./link.js";
import { askSignIn, request } from "./request.js";

export { onSignInNeeded, Problem, request } from "./request.js";

export const jobPath = (jobId, rest = "") => `api/jobs/${encodeURIComponent(jobId)}${rest}`;

/** Return "?a=1&b=2" of what is neither null, false nor empty; lists are repeated; what is `exact` may be empty. */
export function query(values, exact = {}) {
  const pairs = Object.entries(values).flatMap(([key, value]) =>
    [value]
      .flat()
      .filter((item) => item !== null && item !== undefined && item !== false && item !== "")
      .map((item) => [key, item]),
  );
  pairs.push(...Object.entries(exact));
  return pairs.length ? `?${new URLSearchParams(pairs)}` : "";
}

export async function getJson(path, options) {
  const answer = await (await request(path, options)).json();
  noteServer(answer);
  return answer;
}

/**
 * Follow a job. Handlers: onSnapshot(job, position), onEvent(recorded), onState(job), onCoalesced({events, until}),
 * onReset({reason}), onConnection(state, problem). Returns a `TabStream`: close() it.
 */
export function live(jobId, { after = null, ...handlers }) {
  return new TabStream(jobId, {
    after,
    onConnection: signingIn(handlers.onConnection),
    onHeard: noteHeard,
    frames: {
      server: noteServer,
      snapshot: (job, id) => {
        noteServer(job);
        handlers.onSnapshot?.(job, id);
      },
      event: (recorded) => handlers.onEvent?.(recorded),
      state: (job) => {
        noteServer(job);
        handlers.onState?.(job);
      },
      coalesced: (gap) => handlers.onCoalesced?.(gap),
      reset: (reason) => handlers.onReset?.(reason),
    },
  });
}

/** Follow the run states of all jobs: onJob(summary), onConnection(state, problem). */
export function jobsLive({ onJob, onConnection }) {
  return new TabStream(null, {
    onConnection: signingIn(onConnection),
    onHeard: noteHeard,
    frames: { server: noteServer, job: onJob },
  });
}

/** The connection is not this tab's own, so it cannot ask who is there. */
const signingIn = (onConnection) => (state, problem) => {
  onConnection?.(state, problem);
  if (problem?.status === 401) askSignIn()?.then(wakeStreams);
};
