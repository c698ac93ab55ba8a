/** One canvas: uPlot's axes, cursor and selection, with lines drawn from their own columns. */

import { numberTicks } from "./axes.js";
import { drawLine } from "./drawing.js";
import { LARGEST_SPREAD } from "./line.js";
import { formatValue } from "./numbers.js";
import { onThemeChange, styleOf, theme } from "./palette.js";
import { smooth } from "./smoothing.js";
import uPlot from "../vendor/uPlot.esm.js";

const LEAST_DRAG = 6;
const ZOOM_STEP = 0.5;
const CHARACTER_WIDTH = 6.3;

export class Chart {
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
    this._smoothed = [];
    this._span = [0, 1];
    this._kept = null;
    this._values = null;
    this._onZoom = onZoom;
    this._onHover = onHover;
    this._plot = this._build(syncKey);
    this._stops = [onThemeChange(() => this._plot.redraw(false, true))];
    this._listen();
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
    this._span = widened(span);
    this._kept = kept;
    this._smoothed = lines.map(({ line }) => (smoothing ? smooth(line.last, smoothing) : null));
    this._plot.setData([this._span]);
  }

  smoothedAt(number, bucket) {
    return this._smoothed[number]?.[bucket];
  }

  /** Return the lowest and highest value that is drawn, or null when there is none. */
  get seenValues() {
    return this._values;
  }

  get seenSpan() {
    return this._span;
  }

  destroy() {
    for (const stop of this._stops) stop();
    this._plot.destroy();
  }

  _build(syncKey) {
    const axis = (more) => ({
      stroke: () => theme().text,
      font: theme().font,
      grid: { stroke: () => theme().grid, width: 1 },
      ticks: { show: false },
      ...more,
    });
    return new uPlot(
      {
        ...this._size(),
        ms: 1,
        padding: [10, 10, 0, 0],
        legend: { show: false },
        series: [{}],
        scales: {
          x: { time: this.axis.isTime, range: (_, low, high) => [low, high] },
          y: { auto: true, distr: this.isLog ? 3 : 1, range: () => this._valueRange() },
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
          bind: { dblclick: () => () => this._onZoom(null) },
        },
        hooks: {
          draw: [() => this._drawLines()],
          setSelect: [() => this._selected()],
          setCursor: [() => this._moved()],
        },
      },
      [this._span],
      this.root,
    );
  }

  _listen() {
    const observer = new ResizeObserver(() => this._plot.setSize(this._size()));
    observer.observe(this.root);
    const onKey = (event) => this._key(event);
    this.root.addEventListener("keydown", onKey);
    this._stops.push(
      () => observer.disconnect(),
      () => this.root.removeEventListener("keydown", onKey),
    );
  }

  _size() {
    return { width: Math.max(120, this.root.clientWidth), height: Math.max(80, this.root.clientHeight) };
  }

  _drawLines() {
    this.lines.forEach(({ line, number }, i) => {
      const { dash } = styleOf(number);
      const colour = theme().series[number % theme().series.length];
      drawLine(this._plot, line, { colour, dash }, this._smoothed[i]);
    });
  }

  _valueRange() {
    const ranges = this.lines.map(({ line }) => line.range(...this._span, this.isLog));
    if (this._kept) ranges.push(this._kept);
    const found = ranges.filter(Boolean);
    this._values = null;
    if (!found.length) return this.isLog ? [0.1, 10] : [0, 1];
    const low = Math.min(...found.map(([value]) => value));
    const high = Math.max(...found.map(([, value]) => value));
    this._values = [low, high];
    if (this.isLog) return uPlot.rangeLog(low, high, 10, false);
    if (high - low > LARGEST_SPREAD) return [Math.max(low, -LARGEST_SPREAD), Math.min(high, LARGEST_SPREAD)];
    return uPlot.rangeNum(low, high, 0.1, true);
  }

  _selected() {
    const { left, width } = this._plot.select;
    if (width < LEAST_DRAG) return;
    const edges = [left, left + width].map((x) => this._plot.posToVal(x, "x"));
    this._plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this._onZoom(edges);
  }

  _moved() {
    const { left } = this._plot.cursor;
    this._onHover(left < 0 ? null : this._plot.posToVal(left, "x"));
  }

  _key(event) {
    const moves = { ArrowLeft: -1, ArrowRight: 1 };
    if (event.key in moves) this._moveCursor(moves[event.key] * (event.shiftKey ? 40 : 8));
    else if (event.key === "+" || event.key === "=") this._zoomBy(ZOOM_STEP);
    else if (event.key === "-") this._zoomBy(1 / ZOOM_STEP);
    else if (event.key === "Escape" || event.key === "0") this._onZoom(null);
    else return;
    event.preventDefault();
  }

  _moveCursor(by) {
    const { width, height } = this._plot.over.getBoundingClientRect();
    const from = this._plot.cursor.left < 0 ? width / 2 : this._plot.cursor.left;
    this._plot.setCursor({ left: Math.min(Math.max(from + by, 0), width), top: height / 2 });
  }

  _zoomBy(factor) {
    const [low, high] = this._span;
    const { left } = this._plot.cursor;
    const middle = left < 0 ? (low + high) / 2 : this._plot.posToVal(left, "x");
    this._onZoom([middle - (middle - low) * factor, middle + (high - middle) * factor]);
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
