/** In what runs differ: parameters, labels, environment and what came of them, the best of it marked. */

import { html } from "../../vendor/lit-html.js";
import { toNumber } from "../charts/line.js";
import { oneLine } from "../lib/format.js";
import { textOf } from "../lib/free.js";
import { counted, formatCount, formatValue } from "../lib/numbers.js";

const KINDS = {
  params: "Parameters",
  labels: "Labels",
  environment: "Environment",
  run: "Run",
  metrics: "Metrics: the best value where a name says what is good, else the last",
};
const MOST_ROWS = 200; // of a kind

/** `compared` is the API's answer, `labels` how its jobs are called. */
export function differences({ rows, alike }, labels) {
  return html`<section class="chart-group">
    <h2>What differs</h2>
    <div class="chart-rows is-tall" tabindex="0" role="region" aria-label="What differs">
      <table class="chart-table differences">
        <thead>
          <tr>
            <td></td>
            ${labels.map((label) => html`<th scope="col" title=${label}>${oneLine(label, 40)}</th>`)}
          </tr>
        </thead>
        ${Object.entries(KINDS).map(([kind, title]) =>
          body(
            title,
            rows.filter((row) => row.kind === kind),
            labels.length,
          ),
        )}
      </table>
    </div>
    <p class="note">
      ${rows.length === 0 ? "Nothing: these runs are the same in all that is compared. " : ""}${
        alike ? `In ${counted(alike, "other respect")} all of them are the same.` : ""
      }
    </p>
  </section>`;
}

function body(title, rows, runs) {
  if (!rows.length) return null;
  const more = rows.length - MOST_ROWS;
  return html`<tbody>
    <tr class="kind">
      <th scope="colgroup" colspan=${runs + 1}>${title}</th>
    </tr>
    ${rows.slice(0, MOST_ROWS).map(
      ({ name, values, best }) =>
        html`<tr>
          <th scope="row">${oneLine(name, 120)}</th>
          ${values.map((value, number) => cell(value, best.includes(number)))}
        </tr>`,
    )}
    ${
      more > 0
        ? html`<tr>
            <td colspan=${runs + 1}>${formatCount(more)} more</td>
          </tr>`
        : null
    }
  </tbody>`;
}

function cell(value, isBest) {
  const text = valueText(value);
  return isBest
    ? html`<td class="is-best" title="The best of these runs">
        ★ ${text}<span class="visually-hidden">, the best</span>
      </td>`
    : html`<td>${text}</td>`;
}

/** Return a value of a parameter or metric as one short line. */
export function valueText(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return formatValue(value);
  if (typeof value === "string")
    return ["NaN", "Infinity", "-Infinity"].includes(value) ? formatValue(toNumber(value)) : oneLine(value, 60);
  return oneLine(textOf(value, { line: true }), 60);
}
