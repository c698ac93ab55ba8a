/** Values of runs on an axis of a plot: numbers linear or logarithmic, all else as words in equal distances. */

import { formatValue } from "../lib/numbers.js";
import { valueText } from "./differences.js";

const WIDE = 100; // from such a ratio on a scale is logarithmic
const MOST_WORDS = 12;

/** Return `{place(value), ticks}`: places from 0 to 1, null for no value; `ticks` are pairs of place and text. */
export function scaleOf(values) {
  const given = values.filter((value) => value !== null && value !== undefined);
  return given.every((value) => typeof value === "number") && given.length ? ofNumbers(given) : ofWords(given);
}

function ofNumbers(given) {
  const [low, high] = [Math.min(...given), Math.max(...given)];
  const isLog = low > 0 && high / low >= WIDE;
  const [to, from] = isLog ? [Math.log10, (at) => 10 ** at] : [Number, Number];
  const [first, last] = [to(low), to(high)];
  const place = (value) => {
    if (typeof value !== "number") return null;
    return last > first ? (to(value) - first) / (last - first) : 0.5;
  };
  const shares = last > first ? [0, 0.25, 0.5, 0.75, 1] : [0.5];
  const ticks = shares.map((share) => [
    share,
    formatValue(Number(from(first + share * (last - first)).toPrecision(3))),
  ]);
  return { place, ticks, isLog };
}

function ofWords(given) {
  const words = [...new Set(given.map(valueText))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const at = (number) => (words.length > 1 ? number / (words.length - 1) : 0.5);
  const place = (value) => (value === null || value === undefined ? null : at(words.indexOf(valueText(value))));
  const every = Math.ceil(words.length / MOST_WORDS);
  const ticks = words.map((word, number) => [at(number), word]).filter((_, number) => number % every === 0);
  return { place, ticks, isLog: false };
}
