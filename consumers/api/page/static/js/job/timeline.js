/** When actions and steps of an attempt ran, on all its ranks: a bar each over one axis of time. */

import { html, nothing, render, svg } from "../../vendor/lit-html.js";
import { formatElapsed } from "../charts/axes.js";
import { oneLine } from "../lib/format.js";
import { keep, kept } from "../lib/kept.js";
import { counted } from "../lib/numbers.js";
import { isEnded } from "../server/health.js";

const ROW_PX = 22;
const LANE_PX = 3;
const TALLEST_PX = 96;
const MOST_ROWS = 200;
const LABEL_PX = 150;
const LABEL_CHARS = 20;
const NARROW_PX = 500;
const HEAD_PX = 18;
const LOOK = { completed: "good", failed: "bad", cancelled: "warn", skipped: "idle" };

export class Timeline {
  #root;
  #attempt = null;
  #now = 0;
  #isOpen = kept("timeline", false);
  #resizing = new ResizeObserver(() => this.#draw());

  constructor(root) {
    this.#root = root;
    this.#resizing.observe(root);
  }

  destroy() {
    this.#resizing.disconnect();
  }

  /** Show an attempt; `now` is the plugin's clock, in microseconds. */
  update(attempt, now) {
    this.#attempt = attempt;
    this.#now = now;
    this.#draw();
  }

  #draw() {
    if (this.#attempt === null) return;
    const rows = rowsOf(this.#attempt, this.#now);
    this.#root.hidden = rows.length === 0;
    const toggle = ({ currentTarget }) => {
      this.#isOpen = currentTarget.open;
      keep("timeline", this.#isOpen);
      this.#draw();
    };
    render(
      html`<details class="panel fact" ?open=${this.#isOpen} @toggle=${toggle}>
        <summary><h2>Timeline</h2></summary>
        ${this.#isOpen ? this.#drawing(rows) : nothing}
      </details>`,
      this.#root,
    );
  }

  #drawing(rows) {
    const shown = rows.slice(0, MOST_ROWS);
    const from = Math.min(...shown.flatMap(({ bars }) => bars.map(({ start }) => start)));
    const to = Math.max(from + 1, ...shown.flatMap(({ bars }) => bars.map(({ stop }) => stop)));
    const width = Math.max(240, this.#root.clientWidth - 26);
    const x = (time) => LABEL_PX + ((time - from) / (to - from)) * (width - LABEL_PX - 4);
    let top = HEAD_PX;
    const parts = shown.map((row) => {
      const part = drawRow(row, { x, top, width });
      top += heightOf(row);
      return part;
    });
    const ticks = (width < NARROW_PX ? [0, 1] : [0, 0.25, 0.5, 0.75, 1]).map((share) => {
      const [at, text] = [x(from + share * (to - from)), formatElapsed((share * (to - from)) / 1e6)];
      return svg`<line class="grid" x1=${at} x2=${at} y1=${HEAD_PX} y2=${top}></line>
        <text x=${at} y="12" text-anchor=${share === 1 ? "end" : share === 0 ? "start" : "middle"}>${text}</text>`;
    });
    const more = rows.length - shown.length;
    return html`<div class="timeline" tabindex="0" role="region" aria-label="Timeline of actions and steps">
        <svg
          role="img"
          aria-label="Bars of ${counted(shown.length, "action or step", "actions and steps")}"
          width=${width}
          height=${top + 4}>
          ${ticks} ${parts}
        </svg>
      </div>
      ${more > 0 ? html`<p class="note">${counted(more, "more row")} not drawn.</p>` : nothing}`;
  }
}

/** Return the rows: actions, then steps in their order, each with the bars of the ranks that had it. */
function rowsOf({ actions, steps, ranks, status, last_time: lastTime }, now) {
  const end = isEnded(status) ? lastTime : now;
  const ofActions = actions
    .filter(({ started }) => started !== null)
    .map(({ name, status: how, started, ended }) => ({
      name,
      kind: "action",
      bars: [{ rank: null, start: started, stop: ended ?? end, look: LOOK[how] ?? "run" }],
    }));
  const ofSteps = steps
    .map(({ name }) => ({
      name: name ?? "(no name)",
      kind: "step",
      bars: ranks.flatMap(({ rank, steps: own }) =>
        own.filter((step) => step.name === name).map((step) => barOf(rank, step, { status, end })),
      ),
    }))
    .map((row) => ({ ...row, bars: row.bars.filter(({ start }) => start !== null) }))
    .filter(({ bars }) => bars.length);
  return [...ofActions, ...ofSteps.sort((a, b) => begin(a) - begin(b))];
}

const begin = ({ bars }) => Math.min(...bars.map(({ start }) => start));

function barOf(rank, { started, updated, percent, is_failed: isFailed }, { status, end }) {
  const isDone = percent >= 100;
  const look = isFailed ? "bad" : isDone ? "good" : isEnded(status) ? "idle" : "run";
  return { rank, start: started, stop: isDone || isFailed || isEnded(status) ? updated : end, look };
}

const heightOf = ({ bars }) => Math.max(ROW_PX, Math.min(TALLEST_PX, bars.length * LANE_PX + 8));

function drawRow({ name, kind, bars }, { x, top, width }) {
  const height = heightOf({ bars });
  const lane = (height - 8) / bars.length;
  const words = oneLine(name, LABEL_CHARS);
  return svg`<g class="row-${kind}">
    <line class="grid" x1="0" x2=${width} y1=${top + height} y2=${top + height}></line>
    <text class="name" x="0" y=${top + 15}>${words}<title>${oneLine(name)}</title></text>
    ${bars.map(({ rank, start, stop, look }, number) => {
      const took = formatElapsed(Math.round((stop - start) / 1e5) / 10);
      return svg`<rect class="bar-${look}" x=${x(start)} y=${top + 4 + number * lane}
        width=${Math.max(2, x(stop) - x(start))} height=${Math.max(1, lane - (lane > 2 ? 0.5 : 0))}
        ><title>${oneLine(name)}${rank === null ? "" : `, rank ${rank}`}: ${took}</title></rect>`;
    })}
  </g>`;
}
