/** What a comparison shows of a metric: a line a run, and the outcome of each in words. */

import { html } from "../../vendor/lit-html.js";
import { AXES, sinceAxis } from "../charts/axes.js";
import { Line, toNumber } from "../charts/line.js";
import { dateTime, oneLine } from "../lib/format.js";
import { formatCount, formatValue } from "../lib/numbers.js";
import { getJson, jobPath, query } from "../server/api.js";
import { enqueue } from "../server/queue.js";

const POINTS = 2_000;

/**
 * Fetch a metric of several runs: of each its latest attempt and lowest rank.
 *
 * @returns {Promise<object>} a view as `Card` shows it
 */
export async function compareMetric(runs, key, choice, span, signal) {
  const hasX = runs.every(({ metrics }) => metrics.get(key).hasX);
  const name = choice.axis === "step" && !hasX ? "index" : choice.axis;
  const fetched = await Promise.all(runs.map((run) => fetchLine(run, run.metrics.get(key), name, span, signal)));
  const lines = fetched.filter(Boolean);
  return {
    axis: axisOf(name, 0),
    lines,
    total: lines.reduce((total, { line }) => total + line.count, 0),
    leftOut: 0,
    note: name === choice.axis ? "" : "not every run gave steps: drawn by number",
  };
}

/** Return when the latest attempt of a run began, as text behind its status. */
export function startOf(job) {
  return job ? ` · ${dateTime(latestOf(job).started)}` : "";
}

/** Return a table: a row a metric, and of every run its last, lowest and highest value. */
export function outcomeTable(runs, metrics) {
  const groups = runs.map(({ label }) => html`<th scope="colgroup" colspan="4">${label}</th>`);
  const heads = runs.map(
    () =>
      html`<th scope="col">last</th>
        <th scope="col">lowest</th>
        <th scope="col">highest</th>
        <th scope="col">points</th>`,
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

async function fetchLine(run, metric, axisName, span, signal) {
  const axis = axisOf(axisName, latestOf(run.job).started);
  const { attempt, rank } = summaryOf(metric);
  const parameters = {
    step: metric.step,
    attempt,
    rank: String(rank),
    x: axisName,
    points: POINTS,
    start: span && axis.toApi(span[0]),
    stop: span && axis.toApi(span[1]),
  };
  const path = jobPath(run.id, "/metrics") + query(parameters, { name: metric.name });
  const answer = await enqueue(() => getJson(path, { signal }), signal);
  const found = answer.series.find(({ step }) => step === metric.step);
  return found && { line: new Line(found, axis.toPlace), number: run.number, label: run.label };
}

function axisOf(name, origin) {
  return name === "time" ? sinceAxis(origin) : AXES[name];
}

const latestOf = (job) => job.attempts.find(({ number }) => number === job.latest);

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
