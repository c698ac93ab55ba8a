/** Two or more runs side by side: a chart a metric with a line a run, and a table of what came of each. */

import { html, render } from "../../vendor/lit-html.js";
import { Card } from "../charts/card.js";
import { Catalogue } from "../charts/catalogue.js";
import { swatch } from "../charts/legend.js";
import { STYLES } from "../charts/palette.js";
import { scaleTools, searchTool } from "../charts/toolbar.js";
import { oneLine } from "../lib/format.js";
import { counted } from "../lib/numbers.js";
import { getJson, jobPath } from "../server/api.js";
import { compareMetric, outcomeTable, startOf } from "./comparing.js";

const MOST_CARDS = 48;
const LIVE_MS = 3_000;

/** Fill `root` with the comparison of jobs; returns an object whose `destroy()` ends it. */
export function comparePage(root, ids) {
  const comparison = new Comparison(root, [...new Set(ids)]);
  comparison.load();
  return comparison;
}

class Comparison {
  #root;
  #runs;
  #leftOut;
  #choice = { axis: "step", isLog: false, smoothing: 0, search: "" };
  #cards = new Map();
  #timer = 0;
  #end = new AbortController();
  #watcher;

  constructor(root, ids) {
    this.#root = root;
    this.#runs = ids
      .slice(0, STYLES)
      .map((id, number) => ({ id, number, label: oneLine(id), job: null, metrics: new Map() }));
    this.#leftOut = ids.length - this.#runs.length;
    this.#watcher = new IntersectionObserver((entries) => this.#seen(entries), { scrollMargin: "200px" });
  }

  /** Load the runs and what metrics they have; again and again while one of them goes on. */
  async load() {
    this.#render();
    await Promise.all(this.#runs.map((run) => this.#loadRun(run)));
    if (this.#end.signal.aborted) return;
    this.#render();
    for (const card of this.#cards.values()) card.refresh();
    if (this.#runs.some(({ job }) => job?.health !== "ended")) this.#timer = setTimeout(() => this.load(), LIVE_MS);
  }

  destroy() {
    this.#end.abort();
    clearTimeout(this.#timer);
    this.#watcher.disconnect();
    for (const card of this.#cards.values()) card.destroy();
    render(null, this.#root);
  }

  async #loadRun(run) {
    const { signal } = this.#end;
    const catalogue = new Catalogue(run.id);
    try {
      run.job = await getJson(jobPath(run.id), { signal });
      for await (const _ of catalogue.load(signal));
      run.metrics = new Map(catalogue.matching().map((metric) => [metric.key, metric]));
      run.problem = null;
    } catch (problem) {
      run.problem = problem;
    }
  }

  /** Return the metrics of all runs whose name or step contains what is searched, those of more runs first. */
  #metrics() {
    const wanted = this.#choice.search.trim().toLowerCase();
    const all = new Map(this.#runs.flatMap(({ metrics }) => [...metrics]));
    const found = [...all.values()].filter(({ step, name }) => `${step ?? ""} ${name}`.toLowerCase().includes(wanted));
    const shares = new Map(found.map(({ key }) => [key, this.#runs.filter(({ metrics }) => metrics.has(key)).length]));
    return found.sort((a, b) => shares.get(b.key) - shares.get(a.key));
  }

  #change(change) {
    this.#choice = { ...this.#choice, ...change };
    for (const card of this.#cards.values()) {
      card.set(this.#choice);
      if ("axis" in change) card.restart();
    }
    this.#render();
  }

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      for (const card of this.#cards.values()) if (card.element === target) card.setVisible(isIntersecting);
    }
  }

  #renewCards(metrics) {
    const kept = new Map(metrics.map(({ key, name }) => [key, this.#cards.get(key) ?? this.#newCard(key, name)]));
    for (const [key, card] of this.#cards) {
      if (kept.has(key)) continue;
      this.#watcher.unobserve(card.element);
      card.destroy();
    }
    this.#cards = kept;
  }

  #newCard(key, name) {
    const card = new Card({
      title: oneLine(name) || "(no name)",
      syncKey: "compare",
      load: (span, signal) =>
        compareMetric(
          this.#runs.filter(({ metrics }) => metrics.has(key)),
          key,
          this.#choice,
          span,
          signal,
        ),
      onZoom: (span) => card.zoom(span),
    });
    card.set(this.#choice);
    this.#watcher.observe(card.element);
    return card;
  }

  #render() {
    if (!this.#runs.length) {
      const empty = html`<p class="chart-empty">Choose two or more runs in the <a href="./">list of jobs</a>.</p>`;
      render(html`<div class="compare">${empty}</div>`, this.#root);
      return;
    }
    const found = this.#metrics();
    const shown = found.slice(0, MOST_CARDS);
    this.#renewCards(shown);
    const change = (changed) => this.#change(changed);
    render(
      html`<div class="compare">
        <header class="compare-head">
          <h1>Compare ${counted(this.#runs.length, "run")}</h1>
          <ul class="compare-runs">
            ${this.#runs.map(runLine)}
          </ul>
          ${
            this.#leftOut
              ? html`<p>${counted(this.#leftOut, "more run")} left out: at most ${STYLES} can be told apart.</p>`
              : null
          }
        </header>
        <form class="chart-tools" role="search" aria-label="Charts" @submit=${(event) => event.preventDefault()}>
          ${searchTool(this.#choice.search, change)}
          <output>${shown.length < found.length ? `${shown.length} of ` : ""}${counted(found.length, "metric")}</output>
          <span class="chart-space"></span>
          ${scaleTools(this.#choice, change)}
        </form>
        <h2 class="visually-hidden">Charts</h2>
        ${[...Map.groupBy(shown, ({ step }) => step)].map(([step, metrics]) => this.#group(step, metrics))}
        ${outcomeTable(this.#runs, shown)}
      </div>`,
      this.#root,
    );
  }

  #group(step, metrics) {
    return html`<section class="chart-group">
      <h3>${step === null ? "Without a step" : oneLine(step)}</h3>
      <div class="chart-grid">${metrics.map(({ key }) => this.#cards.get(key).element)}</div>
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
