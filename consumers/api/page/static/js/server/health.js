/** What can be said of a run between two answers of the server, from its clock. */

import { judgingNow } from "./away.js";
import { serverNow } from "./clock.js";

const SILENT_AFTER_MS = 40_000;
const LOST_AFTER_MS = 120_000;
const ENDED = new Set(["completed", "failed", "cancelled"]);

/** Return when the stream entry at `position` was appended, in milliseconds of the server's clock. */
export const millis = (position) => Number(position.split("-", 1)[0]);

export const isEnded = (status) => ENDED.has(status);

/** Tell whether a run or a rank has ended for good: one that was asked to end may go on. */
export const isOver = ({ status, is_ending: isEnding }) => isEnded(status) && !isEnding;

/** Judge by the age of the last sign, as `synapse_stream.ports.views.health` does: no event tells of silence. */
export function healthOf({ last_sign_ms: lastSignMs, status, is_ending: isEnding }) {
  const age = judgingNow() - lastSignMs;
  if (isEnding) return age >= SILENT_AFTER_MS ? "ended" : "alive";
  if (isEnded(status)) return "ended";
  if (age >= LOST_AFTER_MS) return "lost";
  return age >= SILENT_AFTER_MS ? "silent" : "alive";
}

export const secondsSince = (ms) => Math.max(0, (serverNow() - ms) / 1000);

/**
 * Return the time on the plugin's clock, in microseconds: that of its latest event and the age of this event on the
 * server's clock. So clocks that differ spoil no ETA. It stands still while nothing can be heard of the run.
 */
export const pluginNow = (attempt, position) => attempt.last_time + Math.max(0, judgingNow() - millis(position)) * 1e3;

/** Return the same for a job of the list. */
export const pluginNowOf = (job) => job.updated + Math.max(0, judgingNow() - job.last_sign_ms) * 1e3;

/** Return what is left of an ETA that was true at `updated`. */
export const remaining = (eta, updated, now) => Math.max(0, eta - Math.max(0, (now - updated) / 1e6));
