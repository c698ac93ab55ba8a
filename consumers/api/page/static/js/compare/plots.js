/** Params against a metric: parallel coordinates and a scatter plot; the table of differences has it in words. */

import { html, svg } from "../../vendor/lit-html.js";
import { styleOf } from "../charts/palette.js";
import { select } from "../charts/toolbar.js";
import { cut, oneLine } from "../lib/format.js";
import { scaleOf } from "./scale.js";
import { valueText } from "./differences.js";

const HEIGHT = 260;
const EDGE = { top: 16, bottom: 34, left: 56, right: 16 };
const MOST_AXES = 8;
const LABEL_CHARS = 14;

/**
 * @param {object} compared the API's answer
 * @param {Array<{number: number, label: string}>} runs in its order; `number` chooses the style
 * @param {{x: string, y: string, width: number, change: (choice: object) => void}} options `x` and `y` name a row each;
 *   else the first one is taken
 */
export function plots(compared, runs, { x, y, width, change }) {
  const params = compared.rows.filter(({ kind }) => kind === "params");
  const metrics = compared.rows.filter(({ kind }) => kind === "metrics");
  if (!params.length || !metrics.length) return null;
  const across = params.find(({ name }) => name === x) ?? params[0];
  const up = metrics.find(({ name }) => name === y) ?? metrics[0];
  const names = (rows) => rows.map(({ name }) => [name, oneLine(name, 60)]);
  return html`<section class="chart-group">
    <h2>Parameters against a metric</h2>
    <form class="chart-tools" aria-label="Plots" @submit=${(event) => event.preventDefault()}>
      ${select("Metric", up.name, names(metrics), (name) => change({ y: name }))}
      ${select("Parameter of the scatter plot", across.name, names(params), (name) => change({ x: name }))}
    </form>
    <div class="plots">
      <figure class="plot">
        <figcaption>${oneLine(up.name, 80)} by ${oneLine(across.name, 80)}</figcaption>
        ${scatter(across, up, runs, width)}
      </figure>
      <figure class="plot">
        <figcaption>
          ${
            params.length > MOST_AXES
              ? `The first ${MOST_AXES} of ${params.length} parameters`
              : "All parameters that differ"
          },
          and ${oneLine(up.name, 80)}
        </figcaption>
        ${parallel([...params.slice(0, MOST_AXES), up], runs, width)}
      </figure>
    </div>
  </section>`;
}

function scatter(across, up, runs, width) {
  const [xs, ys] = [scaleOf(across.values), scaleOf(up.values)];
  const x = (place) => EDGE.left + place * (width - EDGE.left - EDGE.right - 8) + 4;
  const dots = runs.map((run, i) => {
    const [at, high] = [xs.place(across.values[i]), ys.place(up.values[i])];
    if (at === null || high === null) return null;
    const words = `${run.label}: ${across.name} ${valueText(across.values[i])}, ${up.name} ${valueText(up.values[i])}`;
    const look = `dot ${styleOf(run.number).className}`;
    return svg`<circle class=${look} cx=${x(at)} cy=${y(high)} r="5"><title>${words}</title></circle>`;
  });
  const every = Math.max(1, Math.ceil((xs.ticks.length * 70) / width));
  return drawing(`Scatter plot of ${up.name} by ${across.name}`, width, [
    ys.ticks.map(([at, text]) => [
      svg`<line class="grid" x1=${EDGE.left} x2=${width - EDGE.right} y1=${y(at)} y2=${y(at)}></line>`,
      label(EDGE.left - 6, y(at) + 4, "end", text),
    ]),
    xs.ticks
      .filter((_, number) => number % every === 0)
      .map(([at, text]) => label(x(at), HEIGHT - EDGE.bottom + 18, "middle", text)),
    dots,
  ]);
}

function parallel(rows, runs, width) {
  const scales = rows.map(({ values }) => scaleOf(values));
  const x = (number) => EDGE.left + (number * (width - 2 * EDGE.left)) / (rows.length - 1);
  const lines = runs.map((run, i) => {
    const places = scales.map(({ place }, number) => [x(number), place(rows[number].values[i])]);
    const { className, dash } = styleOf(run.number);
    return parts(places).map(
      (part) =>
        svg`<polyline class="course ${className}" stroke-dasharray=${dash.join(" ")}
          points=${part.map(([at, high]) => `${at},${y(high)}`).join(" ")}><title>${run.label}</title></polyline>`,
    );
  });
  const axes = rows.map(({ name }, number) => [
    svg`<line class="axis" x1=${x(number)} x2=${x(number)} y1=${EDGE.top} y2=${HEIGHT - EDGE.bottom}></line>`,
    label(x(number), HEIGHT - 6, "middle", name, true),
    ends(scales[number].ticks).map(([at, text]) => label(x(number) + 4, y(at) + (at ? 10 : -2), "start", text)),
  ]);
  return drawing(`Parallel coordinates of ${rows.map(({ name }) => name).join(", ")}`, width, [lines, axes]);
}

/** Return the runs of neighbours that have a place. */
function parts(places) {
  const found = [[]];
  for (const place of places) {
    if (place[1] === null) found.push([]);
    else found.at(-1).push(place);
  }
  return found.filter((part) => part.length > 1);
}

const ends = (ticks) => (ticks.length > 1 ? [ticks[0], ticks.at(-1)] : ticks);

const y = (place) => HEIGHT - EDGE.bottom - place * (HEIGHT - EDGE.top - EDGE.bottom);

function label(x, at, anchor, text, isName = false) {
  const [whole, shown] = [oneLine(text), cut(oneLine(text), LABEL_CHARS)];
  return svg`<text class=${isName ? "name" : ""} x=${x} y=${at} text-anchor=${anchor}
    >${shown}<title>${whole}</title></text>`;
}

const drawing = (name, width, content) =>
  html`<svg role="img" aria-label=${oneLine(name)} width=${width} height=${HEIGHT} viewBox="0 0 ${width} ${HEIGHT}">
    ${content}
  </svg>`;
