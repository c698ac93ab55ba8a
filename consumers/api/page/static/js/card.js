/** A metric's card: chart, values under the cursor, true counts, table; loads what it shows. */

import { html, render } from "../vendor/lit-html.js";
import { Chart } from "./chart.js";
import { legend, notes, placeUnder } from "./legend.js";
import { renderTable } from "./table.js";

const RETRY_MS = 5_000;

export class Card {
  /**
   * @param {{title: string, syncKey: string,
   *          load: (span: [number, number] | null, signal: AbortSignal) => Promise<View>,
   *          onLoaded?: (view: View) => void,
   *          onZoom: (span: [number, number] | null) => void}} options
   *
   * `onLoaded` completes a view in the very moment from which on it may grow.
   * A View: `lines` ({line, number, label}), `axis` of AXES, `total` points of all its series, `leftOut`
   * series that are not drawn, `note`.
   */
  constructor({ title, syncKey, load, onLoaded = () => {}, onZoom }) {
    this.title = title;
    this.isVisible = false;
    this.view = null;
    this._load = load;
    this._onLoaded = onLoaded;
    this._onZoom = onZoom;
    this._syncKey = syncKey;
    this._settings = { isLog: false, smoothing: 0 };
    this._hidden = new Set();
    this._span = null;
    this._pinned = null;
    this._cursor = null;
    this._problem = null;
    this._loading = null;
    this._isStale = true;
    this._chart = null;
    this.element = document.createElement("article");
    this.element.className = "chart-card";
    this._render();
    this._details.addEventListener("toggle", () => this._renderTable());
  }

  /** The card came into view, or left it: what it shows is loaded only while it is seen. */
  setVisible(isVisible) {
    this.isVisible = isVisible;
    if (isVisible && this._isStale) this.refresh();
    else if (isVisible) this.redraw();
  }

  /** Load again: at once when seen, else when it comes into view. The newest wish counts. */
  refresh() {
    this._isStale = true;
    if (!this.isVisible || this._loading) return;
    this._loading = new AbortController();
    this._isStale = false;
    const { _span: span } = this;
    this._load(span, this._loading.signal)
      .then((view) => this._accept(view))
      .catch((problem) => this._fail(problem))
      .finally(() => {
        if (this._isStale) this.refresh();
      });
  }

  /** Draw again after the lines of the view grew. */
  redraw() {
    if (!this.isVisible || !this.view) return;
    this._draw();
    this._render();
  }

  /** Show a part of the axis in detail; null: all of it. */
  zoom(span) {
    if (span === null && this._span === null) return;
    this._span = span;
    this.redraw();
    this.refresh();
  }

  /** Take the settings of the panel; another scale needs another canvas. */
  set(settings) {
    const isOtherScale = settings.isLog !== this._settings.isLog;
    this._settings = settings;
    if (isOtherScale) this._dropChart();
    this.redraw();
  }

  /** Another axis, or other series: forget zoom and canvas. */
  restart() {
    this._span = null;
    this._pinned = null;
    this._dropChart();
    this._loading?.abort();
    this.refresh();
  }

  /** Keep both axes as they are while the lines are cut for a replay. */
  pin(isPinned) {
    if (!isPinned) this._pinned = null;
    else if (this._chart) this._pinned ??= { span: this._span ? null : this._chart.seenSpan, values: this._chart.seenValues };
  }

  destroy() {
    this._loading?.abort();
    this.isVisible = false;
    this._dropChart();
  }

  get isLoading() {
    return this._loading !== null;
  }

  get _details() {
    return this.element.querySelector("details");
  }

  _accept(view) {
    this._loading = null;
    this._problem = null;
    this._onLoaded(view);
    if (this._chart && this._chart.axis !== view.axis) this._dropChart();
    this.view = view;
    this.redraw();
    this._renderTable();
  }

  _fail(problem) {
    this._loading = null;
    if (problem.name === "AbortError") return;
    this._problem = problem;
    this._render();
    setTimeout(() => this.refresh(), (problem.retryAfter ?? 0) * 1e3 || RETRY_MS);
  }

  _draw() {
    const { isLog, smoothing } = this._settings;
    const shown = this.view.lines.filter(({ label }) => !this._hidden.has(label));
    if (!shown.length && !this._chart) return;
    this._chart ??= new Chart(this.element.querySelector(".chart-plot"), {
      axis: this.view.axis,
      isLog,
      syncKey: `${this._syncKey}/${this.view.axis.name}`,
      onZoom: this._onZoom,
      onHover: (place) => this._hover(place),
    });
    const span = this._span ?? this._pinned?.span ?? wholeSpan(this.view.lines);
    this._chart.setLines(shown, span, { smoothing, kept: this._pinned?.values });
  }

  _hover(place) {
    this._cursor = place;
    this._render();
  }

  _toggle(label) {
    if (!this._hidden.delete(label)) this._hidden.add(label);
    this.redraw();
  }

  _widen() {
    this.element.classList.toggle("is-wide");
    this._render();
  }

  _dropChart() {
    this._chart?.destroy();
    this._chart = null;
  }

  _renderTable() {
    if (!this.view || !this._details.open) return;
    const { lines, axis } = this.view;
    const named = lines.length > 1 ? lines : lines.map((entry) => ({ ...entry, label: this.title }));
    renderTable(this.element.querySelector(".chart-rows"), named, axis);
  }

  _render() {
    const isWide = this.element.classList.contains("is-wide");
    const { view } = this;
    const smoothedAt = (i, bucket) => this._chart?.smoothedAt(i, bucket);
    render(
      html`
        <header>
          <h4 title=${this.title}>${this.title}</h4>
          <span class="chart-place">${placeUnder(view, this._cursor, this._span !== null)}</span>
          <button type="button" class="chart-button is-icon" aria-pressed=${String(isWide)}
            aria-label="Enlarge ${this.title}" title="Enlarge" @click=${() => this._widen()}>⤢</button>
        </header>
        <div class="chart-plot" tabindex="0" role="group" aria-label=${describe(this.title, view)}></div>
        ${legend(view, this._cursor, { hidden: this._hidden, toggle: (label) => this._toggle(label), smoothedAt })}
        <footer>
          <span class="chart-notes">${this._problem ? html`<strong>${this._problem.message}</strong>` : notes(view, this._settings.isLog)}</span>
          ${this._span
            ? html`<button type="button" class="chart-button" @click=${() => this._onZoom(null)}>Reset zoom</button>`
            : null}
        </footer>
        <details>
          <summary>Table<span class="visually-hidden"> of ${this.title}</span></summary>
          <div class="chart-rows" tabindex="0" role="region" aria-label="Values of ${this.title}"></div>
        </details>
      `,
      this.element,
    );
  }
}

function wholeSpan(lines) {
  const extents = lines.map(({ line }) => line.extent()).filter(Boolean);
  if (!extents.length) return [0, 1];
  return [Math.min(...extents.map(([low]) => low)), Math.max(...extents.map(([, high]) => high))];
}

function describe(title, view) {
  const keys = "Arrow keys move the cursor, plus and minus zoom, Escape shows all.";
  return view ? `Chart of ${title} by ${view.axis.label}. ${keys}` : `Chart of ${title}, loading.`;
}
