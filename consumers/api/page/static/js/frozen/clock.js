/** Stands in a report for `server/clock.js`: it is always the moment at which the report was made. */

import { frozen } from "./frozen.js";

export const serverNow = () => frozen.now_ms;

export function noteClock() {}
