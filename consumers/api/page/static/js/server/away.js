/**
 * What does not answer: the server that runs report to, as the API says, or the API itself, as its silence says. Until
 * it does nothing can be heard of a run, so nobody may judge how long nothing was heard.
 */

import { noteClock, serverNow } from "./clock.js";

const BEAT_MS = 16_000; // something comes every 15 s
const GRACE_MS = 120_000; // as `synapse_stream.log.server_clock` has it

let server = null; // {since_ms, until_ms}, by the server's clock
let heardMs = null; // when something came last of a stream that is followed; null: none is
let isCutOff = false;

/** Take what an answer or a frame says of the server. */
export function noteServer({ away, now_ms: nowMs }) {
  noteClock(nowMs);
  if (away !== undefined) server = away;
}

/** Note that something came of a stream. */
export function noteHeard() {
  heardMs = serverNow();
}

/** Note how the connection stands; with none, silence means nothing. */
export function noteConnection(state) {
  isCutOff = state === "reconnecting";
  if (state === "live") noteHeard();
  else if (state === null) heardMs = null;
}

/** Return what is away and since when, `{since, whose}` in ms of the server's clock; null when all answers. */
export function away() {
  if (isCutOff) return { since: heardMs ?? serverNow(), whose: "page" };
  return server !== null && server.until_ms === null ? { since: server.since_ms, whose: "server" } : null;
}

/**
 * Return the time by which runs are judged, in ms of the server's clock: it stands still while nothing can be heard.
 */
export function judgingNow() {
  const now = heardMs === null ? serverNow() : Math.min(serverNow(), heardMs + BEAT_MS);
  if (server === null) return now;
  if (server.until_ms === null) return Math.min(now, server.since_ms);
  return now < server.until_ms + GRACE_MS ? now - (server.until_ms - server.since_ms) : now;
}
