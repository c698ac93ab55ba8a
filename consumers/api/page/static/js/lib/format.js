/** Numbers and texts as people read them. Nothing here knows of the page. */

import { formatCount, formatValue } from "./numbers.js";

const UNITS = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
];
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const clockFormat = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" });
const dayFormat = new Intl.DateTimeFormat("en", {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const dateFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

export const shortCount = (n) => (n < 10_000 ? formatCount(n) : compact.format(n));

/** Return a duration as the command line does (`span`): "40 ms", "5.0 s", "12 s", "3 min 20 s", "2 d 4 h". */
export function duration(seconds) {
  if (seconds >= 0.001 && seconds < 1) return `${Math.floor(seconds * 1000)} ms`;
  if (seconds < 10) return `${(Math.floor(seconds * 10) / 10).toFixed(1)} s`;
  const whole = Math.floor(seconds);
  const at = UNITS.findIndex(([size]) => whole >= size);
  if (at < 0) return `${whole} s`;
  const [size, name] = UNITS[at];
  const [next, nextName] = UNITS[at + 1] ?? [1, "s"];
  return `${Math.floor(whole / size)} ${name} ${Math.floor((whole % size) / next)} ${nextName}`;
}

/** Return how long ago something was, in one unit: "now", "12 s ago", "3 h ago". */
export function ago(seconds) {
  if (seconds < 1) return "now";
  const [size, name] = UNITS.find(([unit]) => seconds >= unit) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${name} ago`;
}

/** Return a percentage as the command line does; it says 100 only when all is done. */
export const percent = (value) => `${Math.floor(value * 10) / 10}%`;

/** Return a time left, of which `isLeast` says whether more may come: "3 min 20 s left", "at least 5 s left". */
export const left = (seconds, isLeast) =>
  `${isLeast ? "at least " : ""}${seconds < 1 ? "under 1 s" : duration(seconds)} left`;

/** Return how far a run is; "at least" when it does not say of all that it does. */
export const share = (done, isLeast) => `${isLeast ? "at least " : ""}${percent(done)}`;

/** Return a rate in the unit in which it is at least one: "4.92/s", "12/min". */
export function rate(perSecond) {
  const [value, unit] =
    perSecond >= 1 || perSecond <= 0
      ? [perSecond, "s"]
      : perSecond * 60 >= 1
        ? [perSecond * 60, "min"]
        : [perSecond * 3600, "h"];
  return `${value >= 1000 ? formatCount(value) : formatValue(Number(value.toPrecision(3)))}/${unit}`;
}

export function bytes(size) {
  const step = size < 1e6 ? [1e3, "kB"] : [1e6, "MB"];
  return size < 1000 ? `${size} B` : `${(size / step[0]).toFixed(1)} ${step[1]}`;
}

/** Return the local time of day of `us`, microseconds since the epoch; of another day than today with its date. */
export const clock = (us) => guard(us, (date) => (isToday(date) ? clockFormat : dayFormat).format(date));
export const isOfToday = (us) => isToday(new Date(us / 1000));
export const dateTime = (us) => guard(us, (date) => dateFormat.format(date));

/** Return `us` exactly, in UTC, for tooltips. */
export const exactTime = (us) => guard(us, (date) => date.toISOString().replace(/\d{3}Z$/, `${String(us).slice(-6)}Z`));

const isToday = (date) => date.toDateString() === new Date().toDateString();

function guard(us, write) {
  const date = new Date(us / 1000);
  return Number.isNaN(date.getTime()) ? String(us) : write(date);
}

const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u2028\u2029\u202a-\u202e\u2060\u2066-\u2069\ufeff]/g;

/** Return `text` with what is invisible made visible; in a line, line ends as well. */
export function visible(text, { line = false } = {}) {
  const shown = text.replace(/\r\n/g, "\n").replace(CONTROLS, picture);
  return line ? shown.replaceAll("\n", " ⏎ ").replaceAll("\t", " ") : shown;
}

function picture(character) {
  const code = character.codePointAt(0);
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  return code === 0x7f ? "␡" : `⟨${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}

/** Return the beginning of `text`, never half a character. */
export function cut(text, length) {
  if (text.length <= length) return text;
  return `${text.slice(0, length).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** Return a text of the plugin for one line of the page. */
export const oneLine = (text, length = 300) => visible(cut(String(text), length), { line: true });
