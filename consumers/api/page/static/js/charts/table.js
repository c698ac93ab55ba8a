/** The text behind a chart: every bucket that is drawn, as a row of a table. */

import { html, render } from "../../vendor/lit-html.js";
import { formatCount, formatValue } from "../lib/numbers.js";

const FIRST_ROWS = 100;

/**
 * Write a table of each line into `root`.
 *
 * @param {HTMLElement} root
 * @param {Array<{line: Line, label: string}>} lines
 * @param {object} axis of AXES
 */
export function renderTable(root, lines, axis, rows = FIRST_ROWS) {
  const more = () => renderTable(root, lines, axis, rows * 10);
  render(
    lines.map((entry) => table(entry, axis, rows, more)),
    root,
  );
}

function table({ line, label }, axis, rows, more) {
  const shown = Math.min(rows, line.length);
  const numbers = Array.from({ length: shown }, (_, i) => i);
  return html`
    <table class="chart-table">
      <caption>
        ${label}
      </caption>
      <thead>
        <tr>
          <th scope="col">${axis.label}</th>
          <th scope="col">points</th>
          <th scope="col">minimum</th>
          <th scope="col">maximum</th>
          <th scope="col">last</th>
        </tr>
      </thead>
      <tbody>
        ${numbers.map((i) => row(line, i, axis))}
      </tbody>
    </table>
    ${
      shown < line.length
        ? html`<button type="button" class="chart-button" @click=${more}>
            Show more of ${formatCount(line.length)} rows
          </button>`
        : null
    }
  `;
}

function row(line, i, axis) {
  const cells =
    line.points[i] > 1
      ? [line.min[i], line.max[i], line.last[i]].map(formatValue)
      : ["", "", formatValue(line.last[i])];
  return html`<tr>
    <th scope="row">${formatSpan(line, i, axis)}</th>
    <td>${formatCount(line.points[i])}</td>
    ${cells.map((cell) => html`<td>${cell}</td>`)}
  </tr>`;
}

/** Return where a bucket lies: "12", or "12 – 19". */
export function formatSpan(line, i, axis) {
  const [start, stop] = [line.start[i], line.stop[i]];
  return start === stop ? axis.format(stop) : `${axis.format(start)} – ${axis.format(stop)}`;
}
