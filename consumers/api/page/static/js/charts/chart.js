/** One canvas: uPlot's axes, cursor and selection, with lines drawn from their own columns. */

import uPlot from "../../vendor/uPlot.esm.js";
import { formatValue } from "../lib/numbers.js";
import { numberTicks } from "./axes.js";
import { drawLine } from "./drawing.js";
import { LARGEST_SPREAD } from "./line.js";
import { onThemeChange, styleOf, theme } from "./palette.js";
import { smooth } from "./smoothing.js";

const LEAST_DRAG = 6;
const ZOOM_STEP = 0.5;
const CHARACTER_WIDTH = 6.3;

export class Chart {
  #smoothed = [];
  #span = [0, 1];
  #kept = null;
  #values = null;
  #onZoom;
  #onHover;
  #stops;

  /**
   * @param {HTMLElement} root is filled; its size is the chart's
   * @param {{axis: object, isLog: boolean, syncKey: string,
   *          onZoom: (range: [number, number] | null) => void,
   *          onHover: (place: number | null) => void}} options
   */
  constructor(root, { axis, isLog, syncKey, onZoom, onHover }) {
    this.root = root;
    this.axis = axis;
    this.isLog = isLog;
    this.lines = [];
    this.#onZoom = onZoom;
    this.#onHover = onHover;
    this.plot = this.#build(syncKey);
    this.#stops = [onThemeChange(() => this.plot.redraw(false, true))];
    this.#listen();
  }

  /**
   * Draw other lines, or the same after they grew.
   *
   * @param {Array<{line: Line, number: number}>} lines `number` chooses the style
   * @param {[number, number]} span of the axis that is seen
   * @param {[number, number] | null} options.kept values that the vertical axis holds in any case
   */
  setLines(lines, span, { smoothing, kept = null }) {
    this.lines = lines;
    this.#span = widened(span);
    this.#kept = kept;
    this.#smoothed = lines.map(({ line }) => (smoothing ? smooth(line.last, smoothing) : null));
    this.plot.setData([this.#span]);
  }

  smoothedAt(number, bucket) {
    return this.#smoothed[number]?.[bucket];
  }

  /** Return the lowest and highest value that is drawn, or null when there is none. */
  get seenValues() {
    return this.#values;
  }

  get seenSpan() {
    return this.#span;
  }

  destroy() {
    for (const stop of this.#stops) stop();
    this.plot.destroy();
  }

  #build(syncKey) {
    const axis = (more) => ({
      stroke: () => theme().text,
      font: theme().font,
      grid: { stroke: () => theme().grid, width: 1 },
      ticks: { show: false },
      ...more,
    });
    return new uPlot(
      {
        ...this.#size(),
        ms: 1,
        padding: [10, 10, 0, 0],
        legend: { show: false },
        series: [{}],
        scales: {
          x: { time: this.axis.isTime, range: (_, low, high) => [low, high] },
          y: { auto: true, distr: this.isLog ? 3 : 1, range: () => this.#valueRange() },
        },
        axes: [
          axis({ scale: "x", values: this.axis.ticks, size: this.axis.isTime ? 38 : 26, gap: 6 }),
          axis({ scale: "y", size: labelWidth, gap: 6, ...(this.isLog ? logarithmic() : { values: numberTicks }) }),
        ],
        cursor: {
          y: false,
          points: { show: false },
          drag: { x: true, y: false, setScale: false, dist: LEAST_DRAG },
          sync: { key: syncKey, scales: ["x", null], setSeries: false, filters: { pub: isMove } },
          bind: { dblclick: () => () => this.#onZoom(null) },
        },
        hooks: {
          draw: [() => this.#drawLines()],
          setSelect: [() => this.#selected()],
          setCursor: [() => this.#moved()],
        },
      },
      [this.#span],
      this.root,
    );
  }

  #listen() {
    const observer = new ResizeObserver(() => this.plot.setSize(this.#size()));
    observer.observe(this.root);
    const onKey = (event) => this.#key(event);
    this.root.addEventListener("keydown", onKey);
    this.#stops.push(
      () => observer.disconnect(),
      () => this.root.removeEventListener("keydown", onKey),
    );
  }

  #size() {
    return { width: Math.max(120, this.root.clientWidth), height: Math.max(80, this.root.clientHeight) };
  }

  #drawLines() {
    this.lines.forEach(({ line, number }, i) => {
      const { dash } = styleOf(number);
      const colour = theme().series[number % theme().series.length];
      drawLine(this.plot, line, { colour, dash }, this.#smoothed[i]);
    });
  }

  #valueRange() {
    const ranges = this.lines.map(({ line }) => line.range(...this.#span, this.isLog));
    if (this.#kept) ranges.push(this.#kept);
    const found = ranges.filter(Boolean);
    this.#values = null;
    if (!found.length) return this.isLog ? [0.1, 10] : [0, 1];
    const low = Math.min(...found.map(([value]) => value));
    const high = Math.max(...found.map(([, value]) => value));
    this.#values = [low, high];
    if (this.isLog) return uPlot.rangeLog(low, high, 10, false);
    if (high - low > LARGEST_SPREAD) return [Math.max(low, -LARGEST_SPREAD), Math.min(high, LARGEST_SPREAD)];
    return uPlot.rangeNum(low, high, 0.1, true);
  }

  #selected() {
    const { left, width } = this.plot.select;
    if (width < LEAST_DRAG) return;
    const edges = [left, left + width].map((x) => this.plot.posToVal(x, "x"));
    this.plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.#onZoom(edges);
  }

  #moved() {
    const { left } = this.plot.cursor;
    this.#onHover(left < 0 ? null : this.plot.posToVal(left, "x"));
  }

  #key(event) {
    const moves = { ArrowLeft: -1, ArrowRight: 1 };
    if (event.key in moves) this.#moveCursor(moves[event.key] * (event.shiftKey ? 40 : 8));
    else if (event.key === "+" || event.key === "=") this.#zoomBy(ZOOM_STEP);
    else if (event.key === "-") this.#zoomBy(1 / ZOOM_STEP);
    else if (event.key === "Escape" || event.key === "0") this.#onZoom(null);
    else return;
    event.preventDefault();
  }

  #moveCursor(by) {
    const { width, height } = this.plot.over.getBoundingClientRect();
    const from = this.plot.cursor.left < 0 ? width / 2 : this.plot.cursor.left;
    this.plot.setCursor({ left: Math.min(Math.max(from + by, 0), width), top: height / 2 });
  }

  #zoomBy(factor) {
    const [low, high] = this.#span;
    const { left } = this.plot.cursor;
    const middle = left < 0 ? (low + high) / 2 : this.plot.posToVal(left, "x");
    this.#onZoom([middle - (middle - low) * factor, middle + (high - middle) * factor]);
  }
}

/** A span of no width would have no scale. */
function widened([low, high]) {
  if (high > low) return [low, high];
  const margin = Math.max(Math.abs(low) * 1e-3, 0.5);
  return [low - margin, high + margin];
}

/** Only the cursor is shared with other charts; what to do with a selection, their owner knows. */
function isMove(type) {
  return type === "mousemove" || type === "mouseleave";
}

function logarithmic() {
  const values = (_plot, splits) => splits.map((tick) => (tick === null ? tick : formatValue(tick)));
  const grid = { stroke: () => theme().grid, width: 1, filter: (_plot, splits) => decades(splits) };
  return { values, grid };
}

/** Keep the powers of ten, if there are two or more. */
function decades(splits) {
  const kept = splits.map((tick) => (Number.isInteger(Math.round(Math.log10(tick) * 1e6) / 1e6) ? tick : null));
  return kept.filter((tick) => tick !== null).length < 2 ? splits : kept;
}

function labelWidth(_plot, values) {
  const longest = Math.max(0, ...(values ?? []).map((text) => String(text ?? "").length));
  return Math.ceil(16 + longest * CHARACTER_WIDTH);
}
