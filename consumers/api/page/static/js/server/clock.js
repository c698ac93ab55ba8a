/** The server's clock, by what its answers say. */

let clockOffset = 0;
let clockRead = -Infinity;

/** Return the server's clock now, in milliseconds. */
export const serverNow = () => Date.now() + clockOffset;

/** Note the server's clock as an answer says it; the quickest answers tell it best, the newest will do. */
export function noteClock(nowMs) {
  if (typeof nowMs !== "number" || performance.now() - clockRead < 10_000) return;
  clockOffset = nowMs - Date.now();
  clockRead = performance.now();
}
