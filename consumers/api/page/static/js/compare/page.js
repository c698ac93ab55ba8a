/** `/compare?id=…&id=…`: runs side by side: what differs, a chart a metric, params against a metric, all values. */

import { html, render } from "../../vendor/lit-html.js";
import { Card } from "../charts/card.js";
import { Catalogue } from "../charts/catalogue.js";
import { finder, fromAddress, toAddress } from "../charts/choice.js";
import { swatch } from "../charts/legend.js";
import { scaleTools, searchTool, select } from "../charts/toolbar.js";
import { oneLine } from "../lib/format.js";
import { counted } from "../lib/numbers.js";
import { getJson, jobPath, query } from "../server/api.js";
import { enqueue } from "../server/queue.js";
import { compareMetric, latestOf, outcomeTable, startOf } from "./comparing.js";
import { differences } from "./differences.js";
import { groupings, groupsOf } from "./grouping.js";
import { plots } from "./plots.js";

const MOST_RUNS = 50;
const MOST_CARDS = 48;
const LIVE_MS = 3_000;
const PLOT_PX = 620;
const PAGE_EDGES_PX = 32;

export class ComparePage {
  #root;
  #page;
  #runs;
  #leftOut;
  #choice;
  #compared = null; // the API's answer
  #cards = new Map();
  #timer = 0;
  #end = new AbortController();
  #watcher = new IntersectionObserver((entries) => this.#seen(entries), { scrollMargin: "200px" });
  #resizing = new ResizeObserver(() => this.#render());

  constructor(root, params, page) {
    const ids = [...new Set(params.getAll("id"))];
    const own = Object.fromEntries(["group", "ranks", "x", "y"].map((name) => [name, params.get(name) ?? ""]));
    this.#root = root;
    this.#page = page;
    this.#runs = ids
      .slice(0, MOST_RUNS)
      .map((id, number) => ({ id, number, label: oneLine(id), job: null, metrics: new Map() }));
    this.#leftOut = ids.length - this.#runs.length;
    this.#choice = { ...fromAddress(params).choice, ...own };
    page.title("Compare");
    this.#resizing.observe(root);
    this.#load();
  }

  destroy() {
    this.#end.abort();
    clearTimeout(this.#timer);
    this.#watcher.disconnect();
    this.#resizing.disconnect();
    for (const card of this.#cards.values()) card.destroy();
    render(null, this.#root);
  }

  /** Load the runs and what metrics they have; again and again what goes on. */
  async #load() {
    this.#render();
    const { signal } = this.#end;
    const going = this.#runs.filter(({ job }) => job?.health !== "ended");
    await Promise.all(going.map((run) => enqueue(() => this.#loadRun(run), signal)));
    if (signal.aborted) return;
    await this.#compare();
    if (signal.aborted) return;
    this.#render();
    for (const card of this.#cards.values()) card.refresh();
    if (this.#runs.some(({ job }) => job?.health !== "ended")) this.#timer = setTimeout(() => this.#load(), LIVE_MS);
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

  /** Ask in what the runs differ that are known; without an answer the charts serve. */
  async #compare() {
    const job = this.#known().map(({ id }) => id);
    if (job.length < 2) return;
    const { signal } = this.#end;
    this.#compared = await getJson(`api/compare${query({ job })}`, { signal }).catch(() => this.#compared);
  }

  #known() {
    return this.#runs.filter(({ job }) => job !== null);
  }

  /** Return the metrics of all runs that match, those of more runs first. */
  #metrics(finds) {
    const all = new Map(this.#runs.flatMap(({ metrics }) => [...metrics]));
    const found = [...all.values()].filter(finds);
    const shares = new Map(found.map(({ key }) => [key, this.#runs.filter(({ metrics }) => metrics.has(key)).length]));
    return found.sort((a, b) => shares.get(b.key) - shares.get(a.key));
  }

  #change(change) {
    this.#choice = { ...this.#choice, ...change };
    const { group, ranks, x, y } = this.#choice;
    this.#page.replaceQuery({ ...toAddress(this.#choice, new Map()), group, ranks, x, y });
    for (const card of this.#cards.values()) {
      card.set(this.#choice);
      if (["axis", "group", "ranks"].some((name) => name in change)) card.restart();
    }
    this.#render();
  }

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      for (const card of this.#cards.values()) if (card.element === target) card.setVisible(isIntersecting);
    }
  }

  #renewCards(metrics) {
    const shown = new Map(metrics.map(({ key, name }) => [key, this.#cards.get(key) ?? this.#newCard(key, name)]));
    for (const [key, card] of this.#cards) {
      if (shown.has(key)) continue;
      this.#watcher.unobserve(card.element);
      card.destroy();
    }
    this.#cards = shown;
  }

  #newCard(key, name) {
    const card = new Card({
      title: oneLine(name) || "(no name)",
      syncKey: "compare",
      load: (span, signal) => compareMetric(this.#groups().groups, key, this.#choice, span, signal),
      onZoom: (span) => card.zoom(span),
    });
    card.set(this.#choice);
    this.#watcher.observe(card.element);
    return card;
  }

  #groups() {
    return groupsOf(this.#known(), this.#compared, this.#choice.group);
  }

  #render() {
    if (!this.#runs.length) {
      const empty = html`<p class="chart-empty">Choose two or more runs in the <a href="./">list of jobs</a>.</p>`;
      render(html`<div class="compare">${empty}</div>`, this.#root);
      return;
    }
    const { isPattern, finds } = finder(this.#choice.search);
    const found = this.#metrics(finds);
    const shown = found.slice(0, MOST_CARDS);
    this.#renewCards(shown);
    const change = (changed) => this.#change(changed);
    const groups = [...Map.groupBy(shown, ({ step }) => step)];
    render(
      html`<div class="compare">
        ${this.#head()} ${this.#compared ? differences(this.#compared, this.#compared.jobs) : null}
        <form class="chart-tools" role="search" aria-label="Charts" @submit=${(event) => event.preventDefault()}>
          ${searchTool(this.#choice.search, change, isPattern)}
          <output>${shown.length < found.length ? `${shown.length} of ` : ""}${counted(found.length, "metric")}</output>
          <span class="chart-space"></span>
          ${this.#lineTools(change)} ${scaleTools(this.#choice, change)}
        </form>
        ${this.#withoutGroup()}
        <h2 class="visually-hidden">Charts</h2>
        ${groups.map(([step, metrics]) => this.#group(step, metrics))} ${this.#plots(change)}
        ${outcomeTable(this.#runs, shown)}
      </div>`,
      this.#root,
    );
  }

  #head() {
    return html`<header class="compare-head">
      <h1>Compare ${counted(this.#runs.length, "run")}</h1>
      <ul class="compare-runs">
        ${this.#runs.map(runLine)}
      </ul>
      ${
        this.#leftOut
          ? html`<p>${counted(this.#leftOut, "more run")} left out: at most ${MOST_RUNS} are compared at once.</p>`
          : null
      }
    </header>`;
  }

  /** What a line stands for. */
  #lineTools(change) {
    const { group, ranks } = this.#choice;
    const hasRanks = this.#known().some(({ job }) => latestOf(job).ranks.length > 1);
    const ofRanks = [
      ["", "the lowest"],
      ["mean", "mean of all"],
    ];
    return html`${select("A line for", group, groupings(this.#compared), (picked) => change({ group: picked }))}
    ${hasRanks ? select("Ranks", ranks, ofRanks, (picked) => change({ ranks: picked })) : null}`;
  }

  #withoutGroup() {
    const { leftOut } = this.#groups();
    return leftOut ? html`<p class="note">${counted(leftOut, "run")} of further groups not drawn.</p>` : null;
  }

  #group(step, metrics) {
    return html`<section class="chart-group">
      <h3>${step === null ? "Without a step" : oneLine(step)}</h3>
      <div class="chart-grid">${metrics.map(({ key }) => this.#cards.get(key).element)}</div>
    </section>`;
  }

  #plots(change) {
    if (!this.#compared) return null;
    const byId = new Map(this.#runs.map((run) => [run.id, run]));
    const width = Math.max(240, Math.min(PLOT_PX, this.#root.clientWidth - PAGE_EDGES_PX));
    const { x, y } = this.#choice;
    const runs = this.#compared.jobs.map((id) => byId.get(id));
    return plots(this.#compared, runs, { x, y, width, change });
  }
}

function runLine(run) {
  const status = run.problem ? run.problem.message : (run.job?.status ?? "loading…");
  return html`<li>
    ${swatch(run.number)}<a href="job?id=${encodeURIComponent(run.id)}">${run.label}</a>
    <span class="compare-status">${status}${startOf(run.job)}</span>
  </li>`;
}
