/** Two or more runs side by side: a chart a metric with a line a run, and a table of what came of each. */

import { html, render } from "../vendor/lit-html.js";
import { getJson, jobPath } from "./api.js";
import { Card } from "./card.js";
import { Catalogue } from "./catalogue.js";
import { compareMetric, outcomeTable, startOf } from "./comparing.js";
import { oneLine } from "./format.js";
import { swatch } from "./legend.js";
import { counted } from "./numbers.js";
import { STYLES } from "./palette.js";
import { scaleTools, searchTool } from "./toolbar.js";

const MOST_CARDS = 48;
const LIVE_MS = 3_000;

/** Fill `root` with the comparison of jobs; returns an object whose `destroy()` ends it. */
export function comparePage(root, ids) {
  const comparison = new Comparison(root, [...new Set(ids)]);
  comparison.load();
  return comparison;
}

class Comparison {
  constructor(root, ids) {
    this._root = root;
    this._runs = ids.slice(0, STYLES).map((id, number) => ({ id, number, label: oneLine(id), job: null, metrics: new Map() }));
    this._leftOut = ids.length - this._runs.length;
    this._choice = { axis: "step", isLog: false, smoothing: 0, search: "" };
    this._cards = new Map();
    this._timer = 0;
    this._end = new AbortController();
    this._watcher = new IntersectionObserver((entries) => this._seen(entries), { scrollMargin: "200px" });
  }

  /** Load the runs and what metrics they have; again and again while one of them goes on. */
  async load() {
    this._render();
    await Promise.all(this._runs.map((run) => this._loadRun(run)));
    if (this._end.signal.aborted) return;
    this._render();
    for (const card of this._cards.values()) card.refresh();
    if (this._runs.some(({ job }) => job?.health !== "ended")) this._timer = setTimeout(() => this.load(), LIVE_MS);
  }

  destroy() {
    this._end.abort();
    clearTimeout(this._timer);
    this._watcher.disconnect();
    for (const card of this._cards.values()) card.destroy();
    render(null, this._root);
  }

  async _loadRun(run) {
    const { signal } = this._end;
    const catalogue = new Catalogue(run.id);
    try {
      run.job = await getJson(jobPath(run.id), { signal });
      for await (const _ of catalogue.load(signal));
      run.metrics = new Map(catalogue.matching("").map((metric) => [metric.key, metric]));
      run.problem = null;
    } catch (problem) {
      run.problem = problem;
    }
  }

  /** Return the metrics of all runs whose name or step contains what is searched, those of more runs first. */
  _metrics() {
    const wanted = this._choice.search.trim().toLowerCase();
    const all = new Map(this._runs.flatMap(({ metrics }) => [...metrics]));
    const found = [...all.values()].filter(({ step, name }) => `${step ?? ""} ${name}`.toLowerCase().includes(wanted));
    const shares = new Map(found.map(({ key }) => [key, this._runs.filter(({ metrics }) => metrics.has(key)).length]));
    return found.sort((a, b) => shares.get(b.key) - shares.get(a.key));
  }

  _change(change) {
    this._choice = { ...this._choice, ...change };
    for (const card of this._cards.values()) {
      card.set(this._choice);
      if ("axis" in change) card.restart();
    }
    this._render();
  }

  _seen(entries) {
    for (const { target, isIntersecting } of entries) {
      for (const card of this._cards.values()) if (card.element === target) card.setVisible(isIntersecting);
    }
  }

  _renewCards(metrics) {
    const kept = new Map(metrics.map(({ key, name }) => [key, this._cards.get(key) ?? this._newCard(key, name)]));
    for (const [key, card] of this._cards) {
      if (kept.has(key)) continue;
      this._watcher.unobserve(card.element);
      card.destroy();
    }
    this._cards = kept;
  }

  _newCard(key, name) {
    const card = new Card({
      title: oneLine(name) || "(no name)",
      syncKey: "compare",
      load: (span, signal) => compareMetric(this._runs.filter(({ metrics }) => metrics.has(key)), key, this._choice, span, signal),
      onZoom: (span) => card.zoom(span),
    });
    card.set(this._choice);
    this._watcher.observe(card.element);
    return card;
  }

  _render() {
    if (!this._runs.length) {
      const empty = html`<p class="chart-empty">Choose two or more runs in the <a href="./">list of jobs</a>.</p>`;
      render(html`<div class="compare">${empty}</div>`, this._root);
      return;
    }
    const found = this._metrics();
    const shown = found.slice(0, MOST_CARDS);
    this._renewCards(shown);
    const change = (changed) => this._change(changed);
    render(
      html`<div class="compare">
        <header class="compare-head">
          <h1>Compare ${counted(this._runs.length, "run")}</h1>
          <ul class="compare-runs">${this._runs.map(runLine)}</ul>
          ${this._leftOut ? html`<p>${counted(this._leftOut, "more run")} left out: at most ${STYLES} can be told apart.</p>` : null}
        </header>
        <form class="chart-tools" role="search" aria-label="Charts" @submit=${(event) => event.preventDefault()}>
          ${searchTool(this._choice.search, change)}
          <output>${shown.length < found.length ? `${shown.length} of ` : ""}${counted(found.length, "metric")}</output>
          <span class="chart-space"></span>
          ${scaleTools(this._choice, change)}
        </form>
        <h2 class="visually-hidden">Charts</h2>
        ${[...Map.groupBy(shown, ({ step }) => step)].map(([step, metrics]) => this._group(step, metrics))}
        ${outcomeTable(this._runs, shown)}
      </div>`,
      this._root,
    );
  }

  _group(step, metrics) {
    return html`<section class="chart-group">
      <h3>${step === null ? "Without a step" : oneLine(step)}</h3>
      <div class="chart-grid">${metrics.map(({ key }) => this._cards.get(key).element)}</div>
    </section>`;
  }
}

function runLine(run) {
  const status = run.problem ? run.problem.message : (run.job?.status ?? "loading…");
  return html`<li>
    ${swatch(run.number)}<a href="job?id=${encodeURIComponent(run.id)}">${run.label}</a>
    <span class="compare-status">${status}${startOf(run.job)}</span>
  </li>`;
}
