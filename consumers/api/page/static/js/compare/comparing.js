/** What a comparison shows of a metric: a line a run or a group of runs, and the outcome of each in words. */

import { html } from "../../vendor/lit-html.js";
import { AXES, sinceAxis } from "../charts/axes.js";
import { Line, toNumber } from "../charts/line.js";
import { fetchSeries, pointsOf } from "../charts/metricsource.js";
import { together } from "../charts/together.js";
import { dateTime, oneLine } from "../lib/format.js";
import { counted, formatCount, formatValue } from "../lib/numbers.js";

/**
 * Fetch a metric of several runs: of each its latest attempt, and of that the lowest rank or the mean of all.
 *
 * @param {Array<{number: number, label: string, runs: object[]}>} groups each drawn as one line, from lowest to highest
 * @param {{axis: string, ranks: string}} choice
 * @returns {Promise<object>} a view as `Card` shows it
 */
export async function compareMetric(groups, key, choice, span, signal) {
  const having = groups
    .map((group) => ({ ...group, runs: group.runs.filter(({ metrics }) => metrics.has(key)) }))
    .filter(({ runs }) => runs.length);
  const runs = having.flatMap((group) => group.runs);
  const hasX = runs.every(({ metrics }) => metrics.get(key).hasX);
  const name = choice.axis === "step" && !hasX ? "index" : choice.axis;
  const of = { name, isMean: choice.ranks === "mean", points: pointsOf(runs.length), span, signal };
  const drawn = await Promise.all(having.map((group) => groupLine(group, key, of)));
  const lines = drawn.filter(Boolean);
  return {
    axis: axisOf(name, 0),
    lines,
    isBand: lines.some(({ line }) => line.series > 1),
    total: lines.reduce((total, { line }) => total + line.count, 0),
    leftOut: 0,
    note: name === choice.axis ? "" : "not every run gave steps: drawn by number",
  };
}

async function groupLine({ number, label, runs }, key, of) {
  const found = await Promise.all(runs.map((run) => runLine(run, run.metrics.get(key), of)));
  const lines = found.filter(Boolean);
  if (!lines.length) return null;
  if (lines.length === 1) return { line: lines[0], number, label };
  return { line: together(lines), number, label: `${label}, mean of ${counted(lines.length, "run")}` };
}

async function runLine(run, metric, { name, isMean, points, span, signal }) {
  const axis = axisOf(name, latestOf(run.job).started);
  const { attempt, rank } = summaryOf(metric);
  const asked = { attempt: String(attempt), rank: isMean ? null : String(rank), until: null };
  const { series } = await fetchSeries(run.id, metric, axis, { ...asked, points, isWhole: isMean, span, signal });
  const lines = series.map((one) => new Line(one, axis.toPlace));
  return lines.length > 1 ? together(lines) : lines[0];
}

/** Return when the latest attempt of a run began, as text behind its status. */
export function startOf(job) {
  return job ? ` · ${dateTime(latestOf(job).started)}` : "";
}

/** Return a table: a row a metric, and of every run its last, lowest and highest value. */
export function outcomeTable(runs, metrics) {
  const groups = runs.map(({ label }) => html`<th scope="colgroup" colspan="4">${label}</th>`);
  const heads = runs.map(() =>
    ["last", "lowest", "highest", "points"].map((name) => html`<th scope="col">${name}</th>`),
  );
  return html`<section class="chart-group">
    <h2>Values</h2>
    <div class="chart-rows" tabindex="0" role="region" aria-label="Values of all runs">
      <table class="chart-table">
        <thead>
          <tr>
            <td></td>
            ${groups}
          </tr>
          <tr>
            <th scope="col">metric</th>
            ${heads}
          </tr>
        </thead>
        <tbody>
          ${metrics.map(
            ({ key, step, name }) =>
              html`<tr>
                <th scope="row">
                  ${step === null ? "" : html`<span class="compare-status">${oneLine(step)}</span> `}${oneLine(name)}
                </th>
                ${runs.map((run) => outcome(summaryOf(run.metrics.get(key))))}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}

function axisOf(name, origin) {
  return name === "time" ? sinceAxis(origin) : AXES[name];
}

export const latestOf = (job) => job.attempts.find(({ number }) => number === job.latest);

/** Return the series that stands for a run: of its latest attempt the lowest rank. */
function summaryOf(metric) {
  if (!metric) return null;
  return [...metric.series.values()].reduce((best, one) =>
    one.attempt > best.attempt || (one.attempt === best.attempt && one.rank < best.rank) ? one : best,
  );
}

function outcome(summary) {
  if (!summary) return html`<td colspan="4">–</td>`;
  const cells = [summary.last, summary.min, summary.max].map((value) =>
    value === null ? "–" : formatValue(toNumber(value)),
  );
  return html`${cells.map((cell) => html`<td>${cell}</td>`)}
    <td>${formatCount(summary.count)}</td>`;
}
