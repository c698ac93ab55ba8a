/** The three horizontal axes: how places of the API become places on a drawn axis, and back. */

import { formatCount, formatValue } from "../lib/numbers.js";

const SECOND = 1e3;
const UNITS = [
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
];
const CLOCK = new Intl.DateTimeFormat("en-GB", {
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
});

/** How uPlot writes times, by the step between two ticks; both lines of the second kind only where the day changes. */
const CLOCK_TICKS = [
  [3600 * 24 * SECOND, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [3600 * SECOND, "{HH}:{mm}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
  [60 * SECOND, "{HH}:{mm}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
  [SECOND, "{HH}:{mm}:{ss}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
  [1, "{ss}.{fff}", "\n{HH}:{mm}", null, "\n{HH}:{mm}", null, "\n{HH}:{mm}", null, 1],
];

/**
 * An axis: `toPlace` and `toApi` turn places; `live` finds the place of a live point; `format` says a
 * place in words; `ticks` is uPlot's `values`.
 */
export const AXES = {
  step: {
    name: "step",
    label: "step",
    isTime: false,
    toPlace: Number,
    toApi: String,
    live: ({ x }) => x,
    format: formatValue,
    ticks: numberTicks,
  },
  time: {
    name: "time",
    label: "time",
    isTime: true,
    toPlace: (us) => us / 1e3,
    toApi: (ms) => String(Math.round(ms * 1e3)),
    live: ({ time }) => time / 1e3,
    format: (ms) => CLOCK.format(new Date(ms)),
    ticks: CLOCK_TICKS,
  },
  index: {
    name: "index",
    label: "number",
    isTime: false,
    toPlace: Number,
    toApi: String,
    live: ({ index }) => index,
    format: formatCount,
    ticks: numberTicks,
  },
};

/** Return the axis of seconds since `origin`, in µs: runs of different days lie beside each other. */
export function sinceAxis(origin) {
  return {
    name: "time",
    label: "time since the start",
    isTime: false,
    toPlace: (us) => (us - origin) / 1e6,
    toApi: (seconds) => String(Math.round(seconds * 1e6 + origin)),
    live: ({ time }) => (time - origin) / 1e6,
    format: formatElapsed,
    ticks: (_, splits) => splits.map((tick) => (tick === null ? tick : formatElapsed(tick))),
  };
}

/** Return seconds as "1.5 s", "2:05", "1:00:00". */
export function formatElapsed(seconds) {
  if (Math.abs(seconds) < 60) return `${formatValue(Number(seconds.toFixed(3)))} s`;
  const whole = Math.round(Math.abs(seconds));
  const pair = (n) => String(n).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const text = hours ? `${hours}:${pair(minutes)}` : String(minutes);
  return `${seconds < 0 ? "−" : ""}${text}:${pair(whole % 60)}`;
}

/** Write the ticks of an axis, as short as their distance allows: 12,500 and 15,000 as "12.5k", "15k". */
export function numberTicks(_plot, splits, _axis, _space, increment) {
  const highest = Math.max(...splits.map((tick) => Math.abs(tick ?? 0)));
  const [unit, letter] = UNITS.find(([size]) => highest >= size && increment >= size / 100) ?? [1, ""];
  const write = (tick) => (tick === 0 ? "0" : writeTick(tick / unit, increment / unit) + letter);
  return splits.map((tick) => (tick === null ? tick : write(tick)));
}

function writeTick(value, increment) {
  const size = Math.abs(value);
  if (size >= 1e9 || (size > 0 && size < 1e-4)) return formatValue(value);
  const digits = increment > 0 ? Math.max(0, Math.ceil(-Math.log10(increment) - 1e-9)) : 0;
  const text = value.toLocaleString("en", { maximumFractionDigits: Math.min(20, digits + 1) });
  return text.replace("-", "−");
}
