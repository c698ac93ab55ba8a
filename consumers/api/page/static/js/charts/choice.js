/** What is chosen for all charts of a panel at once, and how it stands in the page's address. */

import { AXES } from "./axes.js";

export const NOTHING_CHOSEN = { axis: "step", isLog: false, smoothing: 0, attempt: "", rank: "", search: "" };

const ZOOM = /^([^:]+):([^:]+):(.+)$/s;
const DIGITS = 9;
const TIME_DIGITS = 14;

/** Return the choice and the zooms, a span by scope, that an address's parameters have; what is none is left out. */
export function fromAddress(params) {
  const smoothing = Number(params.get("smooth"));
  const choice = {
    axis: Object.hasOwn(AXES, params.get("by") ?? "") ? params.get("by") : NOTHING_CHOSEN.axis,
    isLog: params.get("scale") === "log",
    smoothing: smoothing > 0 && smoothing < 1 ? smoothing : 0,
    attempt: params.get("attempt") ?? "",
    rank: params.get("rank") ?? "",
    search: params.get("metrics") ?? "",
  };
  const zooms = new Map();
  for (const text of params.getAll("zoom")) {
    const [, from, to, scope] = ZOOM.exec(text) ?? [];
    if (Number(from) < Number(to)) zooms.set(scope, [Number(from), Number(to)]);
  }
  return { choice, zooms };
}

/** Return the same as parameters of an address; null is what need not stand there. */
export function toAddress(choice, zooms) {
  return {
    metrics: choice.search || null,
    by: choice.axis === NOTHING_CHOSEN.axis ? null : choice.axis,
    scale: choice.isLog ? "log" : null,
    smooth: choice.smoothing || null,
    attempt: choice.attempt || null,
    rank: choice.rank || null,
    zoom: [...zooms].map(([scope, span]) => [...span.map((place) => short(place, scope)), scope].join(":")),
  };
}

/** Charts of one scope are zoomed together: by time all, else those of a step. */
export function scopeOf(axis, step) {
  if (axis.isTime) return axis.name;
  return step === null ? axis.name : `${axis.name}/${step}`;
}

/**
 * Return what finds metrics by `text`, a regular expression for their name or for "step/name", in upper and lower case.
 * One that is none yet, as while it is typed, is looked for as it stands.
 */
export function finder(text) {
  const wanted = text.trim();
  try {
    const pattern = new RegExp(wanted, "i");
    return {
      isPattern: true,
      finds: ({ step, name }) => pattern.test(name) || (step !== null && pattern.test(`${step}/${name}`)),
    };
  } catch {
    const part = wanted.toLowerCase();
    return { isPattern: false, finds: ({ step, name }) => `${step ?? ""}/${name}`.toLowerCase().includes(part) };
  }
}

const short = (place, scope) => Number(place.toPrecision(scope === "time" ? TIME_DIGITS : DIGITS));
