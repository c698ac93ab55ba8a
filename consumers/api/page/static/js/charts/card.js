/** A metric's card: chart, values under the cursor, true counts, table; loads what it shows. */

import { html, render } from "../../vendor/lit-html.js";
import { icon } from "../lib/icons.js";
import { Chart } from "./chart.js";
import { legend, notes, placeUnder } from "./legend.js";
import { renderTable } from "./table.js";

const RETRY_MS = 5_000;

export class Card {
  #load;
  #onLoaded;
  #onZoom;
  #onPin;
  #syncKey;
  #settings = { isLog: false, smoothing: 0 };
  #hidden = new Set();
  #span = null;
  #held = null;
  #isPinned = false;
  #cursor = null;
  #problem = null;
  #loading = null;
  #isStale = true;
  #chart = null;

  /**
   * @param {{title: string, syncKey: string, span?: [number, number] | null,
   *          load: (span: [number, number] | null, signal: AbortSignal) => Promise<View>,
   *          onLoaded?: (view: View) => void,
   *          onZoom: (span: [number, number] | null) => void,
   *          onPin?: () => void}} options `span` of the axis that is shown at first
   *
   * `onLoaded` completes a view in the very moment from which on it may grow.
   * A View: `lines` ({line, number, label}), `axis` of AXES, `total` points of all its series, `leftOut`
   * series that are not drawn, `isBand` if each line stands for many, `note`.
   */
  constructor({ title, syncKey, span = null, load, onLoaded = () => {}, onZoom, onPin = null }) {
    this.title = title;
    this.isVisible = false;
    this.view = null;
    this.#load = load;
    this.#onLoaded = onLoaded;
    this.#onZoom = onZoom;
    this.#onPin = onPin;
    this.#span = span;
    this.#syncKey = syncKey;
    this.element = document.createElement("article");
    this.element.className = "chart-card";
    this.#render();
    this.#details.addEventListener("toggle", () => this.#renderTable());
  }

  /** The card came into view, or left it: what it shows is loaded only while it is seen. */
  setVisible(isVisible) {
    this.isVisible = isVisible;
    if (isVisible && this.#isStale) this.refresh();
    else if (isVisible) this.redraw();
  }

  /** Load again: at once when seen, else when it comes into view. The newest wish counts. */
  refresh() {
    this.#isStale = true;
    if (!this.isVisible || this.#loading) return;
    this.#loading = new AbortController();
    this.#isStale = false;
    const span = this.#span;
    this.#load(span, this.#loading.signal)
      .then((view) => this.#accept(view))
      .catch((problem) => this.#fail(problem))
      .finally(() => {
        if (this.#isStale) this.refresh();
      });
  }

  /** Draw again after the lines of the view grew. */
  redraw() {
    if (!this.isVisible || !this.view) return;
    this.#draw();
    this.#render();
  }

  /** Show a part of the axis in detail; null: all of it. */
  zoom(span) {
    if (span === null && this.#span === null) return;
    this.#span = span;
    this.redraw();
    this.refresh();
  }

  /** Take the settings of the panel; another scale needs another canvas. */
  set(settings) {
    const isOtherScale = settings.isLog !== this.#settings.isLog;
    this.#settings = settings;
    if (isOtherScale) this.#dropChart();
    this.redraw();
  }

  /** Another axis, or other series: forget zoom and canvas. */
  restart() {
    this.#span = null;
    this.#held = null;
    this.#dropChart();
    this.#loading?.abort();
    this.refresh();
  }

  /** Keep both axes as they are while the lines are cut for a replay. */
  hold(isHeld) {
    if (!isHeld) this.#held = null;
    else if (this.#chart)
      this.#held ??= { span: this.#span ? null : this.#chart.seenSpan, values: this.#chart.seenValues };
  }

  /** Tell who reads whether the card is pinned. */
  setPinned(isPinned) {
    if (isPinned === this.#isPinned) return;
    this.#isPinned = isPinned;
    this.#render();
  }

  destroy() {
    this.#loading?.abort();
    this.isVisible = false;
    this.#dropChart();
  }

  get isLoading() {
    return this.#loading !== null;
  }

  get #details() {
    return this.element.querySelector("details");
  }

  #accept(view) {
    this.#loading = null;
    this.#problem = null;
    this.#onLoaded(view);
    if (this.#chart && this.#chart.axis !== view.axis) this.#dropChart();
    this.view = view;
    this.redraw();
    this.#renderTable();
  }

  #fail(problem) {
    this.#loading = null;
    if (problem.name === "AbortError") return;
    this.#problem = problem;
    this.#render();
    setTimeout(() => this.refresh(), (problem.retryAfter ?? 0) * 1e3 || RETRY_MS);
  }

  #draw() {
    const { isLog, smoothing } = this.#settings;
    const shown = this.view.lines.filter(({ label }) => !this.#hidden.has(label));
    if (!shown.length && !this.#chart) return;
    this.#chart ??= new Chart(this.element.querySelector(".chart-plot"), {
      axis: this.view.axis,
      isLog,
      syncKey: `${this.#syncKey}/${this.view.axis.name}`,
      onZoom: this.#onZoom,
      onHover: (place) => this.#hover(place),
    });
    const span = this.#span ?? this.#held?.span ?? wholeSpan(this.view.lines);
    this.#chart.setLines(shown, span, { smoothing, kept: this.#held?.values });
  }

  #hover(place) {
    this.#cursor = place;
    this.#render();
  }

  #toggle(label) {
    if (!this.#hidden.delete(label)) this.#hidden.add(label);
    this.redraw();
  }

  #widen() {
    this.element.classList.toggle("is-wide");
    this.#render();
  }

  #dropChart() {
    this.#chart?.destroy();
    this.#chart = null;
  }

  #renderTable() {
    if (!this.view || !this.#details.open) return;
    const { lines, axis } = this.view;
    const named = lines.length > 1 ? lines : lines.map((entry) => ({ ...entry, label: this.title }));
    renderTable(this.element.querySelector(".chart-rows"), named, axis);
  }

  #button(drawing, name, isPressed, press) {
    return html`<button
      type="button"
      class="chart-button is-icon"
      aria-pressed=${String(isPressed)}
      aria-label="${name} ${this.title}"
      title=${name}
      @click=${press}>
      ${icon(drawing)}
    </button>`;
  }

  #render() {
    const isWide = this.element.classList.contains("is-wide");
    const { view } = this;
    const smoothedAt = (i, bucket) => this.#chart?.smoothedAt(i, bucket);
    render(
      html`
        <header>
          <h4 title=${this.title}>${this.title}</h4>
          <span class="chart-place">${placeUnder(view, this.#cursor, this.#span !== null)}</span>
          ${this.#onPin ? this.#button("pin", "Pin", this.#isPinned, this.#onPin) : null}
          ${this.#button("wide", "Enlarge", isWide, () => this.#widen())}
        </header>
        <div class="chart-plot" tabindex="0" role="group" aria-label=${describe(this.title, view)}></div>
        ${legend(view, this.#cursor, { hidden: this.#hidden, toggle: (label) => this.#toggle(label), smoothedAt })}
        <footer>
          <span class="chart-notes">${this.#problem ? problem(this.#problem) : notes(view, this.#settings.isLog)}</span>
          ${
            this.#span
              ? html`<button type="button" class="chart-button" @click=${() => this.#onZoom(null)}>Reset zoom</button>`
              : null
          }
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

const problem = ({ message }) => html`<strong>${message}</strong>`;

function wholeSpan(lines) {
  const extents = lines.map(({ line }) => line.extent()).filter(Boolean);
  if (!extents.length) return [0, 1];
  return [Math.min(...extents.map(([low]) => low)), Math.max(...extents.map(([, high]) => high))];
}

function describe(title, view) {
  const keys = "Arrow keys move the cursor, plus and minus zoom, Escape shows all.";
  return view ? `Chart of ${title} by ${view.axis.label}. ${keys}` : `Chart of ${title}, loading.`;
}
