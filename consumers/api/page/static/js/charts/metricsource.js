/** A metric's lines: as the API answers, completed by what came live since. */

import { getJson, jobPath, query } from "../server/api.js";
import { enqueue } from "../server/queue.js";
import { AXES } from "./axes.js";
import { Line, toNumber } from "./line.js";
import { STYLES } from "./palette.js";
import { together } from "./together.js";

const POINTS = 2_000;
const POINTS_OF_MANY = 1_000;
const MANY = 4;
const POINTS_TOGETHER = 60_000; // of all series of a metric that are drawn as one
const LEAST_POINTS = 100;

/** With so many ranks and more a metric is drawn as their mean, in a band from the lowest to the highest. */
export const BANDED = 8;

/**
 * Fetch what a card shows of a metric.
 *
 * @param {string} jobId
 * @param {{step: string|null, name: string, hasX: boolean, series: Map}} metric of the catalogue
 * @param {{axis: string, attempt: string, rank: string, until: string|null}} choice
 * @param {[number, number] | null} span of the axis
 * @returns {Promise<object>} a view as `Card` shows it, with the `position` that it holds all up to, `until` and `span`
 */
export async function fetchMetric(jobId, metric, choice, span, signal) {
  const axis = axisOf(metric, choice.axis);
  const isBand = isTogether(metric, choice);
  const { size } = metric.series;
  const { series, position } = await fetchSeries(jobId, metric, axis, {
    attempt: choice.attempt,
    rank: choice.rank === "each" ? null : choice.rank,
    until: choice.until,
    points: isBand ? pointsOf(size) : size > MANY ? POINTS_OF_MANY : POINTS,
    isWhole: isBand,
    span,
    signal,
  });
  // the API counts the series as it is now; of a moment before only what is in view is known
  const lines = series.map((one) => new Line(choice.until ? { ...one, count: one.in_view } : one, axis.toPlace));
  const drawn = isBand ? [...Map.groupBy(lines, ({ attempt }) => attempt).values()].map(together) : lines;
  const view = {
    position,
    until: choice.until,
    span,
    axis,
    isBand,
    lines: drawn.slice(0, STYLES).map((line, number) => ({ line, number })),
    leftOut: Math.max(0, drawn.length - STYLES),
    note: axis.name === choice.axis ? "" : "no step was given: drawn by number",
  };
  return finish(view);
}

/** Tell whether the choice draws a metric's ranks as one. */
export function isTogether(metric, { rank }) {
  return rank === "" && new Set([...metric.series.values()].map((one) => one.rank)).size >= BANDED;
}

/** Return how many points to ask of each of so many series that are drawn as one. */
export const pointsOf = (series) => Math.max(LEAST_POINTS, Math.min(POINTS, Math.floor(POINTS_TOGETHER / series)));

/** Fetch series of a metric as the API has them: with `isWhole` all that there are, else the first page of them. */
export async function fetchSeries(jobId, metric, axis, { attempt, rank, until, points, isWhole, span, signal }) {
  const parameters = {
    step: metric.step,
    x: axis.name,
    attempt,
    rank,
    until,
    points,
    start: span && axis.toApi(span[0]),
    stop: span && axis.toApi(span[1]),
  };
  const series = [];
  let [after, position] = [null, null];
  do {
    const path = jobPath(jobId, "/metrics") + query({ ...parameters, after }, { name: metric.name });
    const answer = await enqueue(() => getJson(path, { signal }), signal);
    series.push(...answer.series.filter(({ step }) => step === metric.step));
    position ??= answer.position;
    after = isWhole ? answer.next : null;
  } while (after);
  return { series, position };
}

/**
 * Add a live point to the view of its metric.
 *
 * @returns {boolean} false when the view has no such line and no room for one, or draws many series as one
 */
export function appendPoint(view, { attempt, rank }, { time, x, value }) {
  if (view.isBand) return false;
  let entry = view.lines.find(({ line }) => line.attempt === attempt && line.rank === rank);
  if (!entry) {
    if (view.lines.length === STYLES) return false;
    entry = { line: Line.empty({ attempt, rank }), number: view.lines.length };
    view.lines.push(entry);
  }
  const place = view.axis.live({ time, x, index: entry.line.count });
  const isSeen = place !== null && (!view.span || (place >= view.span[0] && place <= view.span[1]));
  entry.line.append(isSeen ? place : null, value);
  return true;
}

/** Name the lines by what tells them apart, and count their points. */
export function finish(view) {
  const differ = (field) => new Set(view.lines.map(({ line }) => line[field])).size > 1;
  const [attempts, ranks] = [differ("attempt"), !view.isBand && differ("rank")];
  for (const entry of view.lines) {
    const names = [attempts && `attempt ${entry.line.attempt}`, ranks && `rank ${entry.line.rank}`];
    const of = entry.line.series > 1 ? `mean of ${entry.line.series} ranks` : null;
    entry.label = [of, ...names].filter(Boolean).join(", ") || "last";
  }
  view.total = view.lines.reduce((total, { line }) => total + line.count, 0);
  return view;
}

/** Return the axis of choice, or the one that the metric has. */
export function axisOf(metric, name) {
  return name === "step" && !metric.hasX ? AXES.index : AXES[name];
}

/** Return the point that an event has of a metric. */
export function pointOf({ time, x = null, values }, name) {
  return { time, x: x === null ? null : toNumber(x), value: toNumber(values[name]) };
}
