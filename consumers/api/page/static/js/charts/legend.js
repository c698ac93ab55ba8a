/** What stands in words around a chart: the values under the cursor, and how much is drawn. */

import { html, svg } from "../../vendor/lit-html.js";
import { counted, formatCount, formatValue } from "../lib/numbers.js";
import { LARGEST_SPREAD } from "./line.js";
import { styleOf } from "./palette.js";
import { formatSpan } from "./table.js";

/** Return the place under the cursor, in words; without one the values are the newest ones. */
export function placeUnder(view, cursor, isZoomed) {
  if (!view?.lines.length) return "";
  if (cursor === null) return isZoomed ? "last in view" : "";
  const [{ line }] = view.lines;
  const bucket = line.nearest(cursor);
  return bucket < 0 ? "" : `${view.axis.label} ${formatSpan(line, bucket, view.axis)}`;
}

/**
 * List the lines with their values: under the cursor, else the latest.
 *
 * @param {{hidden: Set<string>, toggle: (label: string) => void,
 *          smoothedAt: (line: number, bucket: number) => number | undefined}} options
 */
export function legend(view, cursor, { hidden, toggle, smoothedAt }) {
  if (!view)
    return html`<ul class="chart-legend">
      <li>…</li>
    </ul>`;
  let drawn = -1;
  const items = view.lines.map(({ line, number, label }) => {
    const isHidden = hidden.has(label);
    if (!isHidden) drawn += 1;
    const bucket = cursor === null ? line.length - 1 : line.nearest(cursor);
    const smoothed = isHidden ? undefined : smoothedAt(drawn, bucket);
    return html`<li>
      ${
        view.lines.length > 1
          ? html`<button
              type="button"
              class="chart-name"
              aria-pressed=${String(!isHidden)}
              title="Show or hide ${label}"
              @click=${() => toggle(label)}>
              ${swatch(number)}<span>${label}</span>
            </button>`
          : html`<span class="chart-name">${swatch(number)}<span>${label}</span></span>`
      }
      ${values(line, bucket, smoothed)}
    </li>`;
  });
  return html`<ul class="chart-legend">
    ${items}
  </ul>`;
}

/** Say how many points are drawn, and what of them can't be seen as a line. */
export function notes(view, isLog) {
  if (!view) return "loading…";
  const points = sumOf(view.lines, ({ line }) => line.inView);
  const buckets = sumOf(view.lines, ({ line }) => line.length);
  const parts = [amount(points, buckets, view.total)];
  if (view.leftOut) parts.push(`${formatCount(view.leftOut)} more series not drawn: choose a rank or an attempt`);
  const [nans, plus, minus] = ["nans", "plus", "minus"].map((kind) =>
    sumOf(view.lines, ({ line }) => line.nonFinite[kind]),
  );
  if (nans) parts.push(`${formatCount(nans)} NaN`);
  if (plus) parts.push(`${formatCount(plus)} × +∞`);
  if (minus) parts.push(`${formatCount(minus)} × −∞`);
  if (!isLog && isTooWide(view.lines)) parts.push("values lie too far apart to be seen whole: see the table");
  if (isLog && view.lines.some(({ line }) => line.min.some((value) => value <= 0)))
    parts.push("values ≤ 0 have no place on a log scale");
  if (view.note) parts.push(view.note);
  return parts.join(" · ");
}

function isTooWide(lines) {
  const ranges = lines.map(({ line }) => line.range(-Infinity, Infinity, false)).filter(Boolean);
  return Math.max(...ranges.map(([, high]) => high)) - Math.min(...ranges.map(([low]) => low)) > LARGEST_SPREAD;
}

function amount(points, buckets, total) {
  if (!total) return "no points yet";
  const part = points < total ? `${formatCount(points)} of ${counted(total, "point")}` : counted(total, "point");
  return buckets < points ? `${part}, drawn as ${counted(buckets, "range")}` : part;
}

function values(line, bucket, smoothed) {
  if (bucket < 0) return html`<span class="chart-value">–</span>`;
  const range =
    line.points[bucket] > 1 && line.min[bucket] < line.max[bucket]
      ? html`<span class="chart-range" title="lowest and highest of ${counted(line.points[bucket], "point")}"
          >${formatValue(line.min[bucket])} … ${formatValue(line.max[bucket])}</span
        >`
      : null;
  const average =
    smoothed === undefined ? null : html`<span class="chart-range">smoothed ${formatValue(smoothed)}</span>`;
  return html`${range}${average}<span class="chart-value">${formatValue(line.last[bucket])}</span>`;
}

export function swatch(number) {
  const { className, dash } = styleOf(number);
  return html`<svg class="chart-swatch ${className}" viewBox="0 0 22 8" aria-hidden="true">
    ${svg`<line x1="0" y1="4" x2="22" y2="4" stroke-dasharray=${dash.join(" ")}></line>`}
  </svg>`;
}

function sumOf(items, count) {
  return items.reduce((total, item) => total + count(item), 0);
}
