/** All metrics of a job: a card each, in groups and pages, loaded as they come into view, growing live. */

import { html, render } from "../../vendor/lit-html.js";
import { oneLine } from "../lib/format.js";
import { keep, kept } from "../lib/kept.js";
import { Later } from "../lib/later.js";
import { laterOf } from "../lib/positions.js";
import { Card } from "./card.js";
import { Catalogue } from "./catalogue.js";
import { finder, fromAddress, scopeOf, toAddress } from "./choice.js";
import { groupHead } from "./grouphead.js";
import { grouped, paged } from "./groups.js";
import { Growth } from "./growth.js";
import { axisOf, fetchMetric } from "./metricsource.js";
import { pager, toolbar } from "./toolbar.js";

const CARDS_A_PAGE = 48;
const RELIST_MS = 2_000;
const RENDER_MS = 200;

export class Charts {
  /** Key of the metric → its card, of the page that is shown. */
  cards = new Map();
  #root;
  #jobId;
  #onChoice;
  #catalogue;
  #choice;
  #zooms; // scope → span
  #pinned = new Set(kept("pinned metrics", []));
  #folded = new Set(kept("folded groups", []));
  #page = 0;
  #until = null;
  #job = null;
  #isListed = false;
  #isListing = false;
  #growth = new Growth((view, home) => this.#isChosen(view, home));
  #later = new Later();
  #end = new AbortController();
  #watcher = new IntersectionObserver((entries) => this.#seen(entries), { scrollMargin: "200px" });

  /** `params` are those of the page's address; `onChoice(parameters)` is told what should stand there from now on. */
  constructor(root, { jobId, params = new URLSearchParams(), onChoice = () => {} }) {
    const { choice, zooms } = fromAddress(params);
    this.#root = root;
    this.#jobId = jobId;
    this.#onChoice = onChoice;
    this.#catalogue = new Catalogue(jobId);
    this.#choice = choice;
    this.#zooms = zooms;
  }

  /** List the metrics and show the first page; again, when nothing known may be true any more. */
  load() {
    this.#growth.forget(this.cards.values());
    this.#refreshAll();
    return this.#list();
  }

  async #list() {
    this.#isListing = true;
    try {
      let isFirst = true;
      for await (const _ of this.#catalogue.load(this.#end.signal)) {
        if (isFirst) this.#render();
        else this.#laterRender();
        isFirst = false;
      }
      this.#isListed = true;
      this.#render();
    } catch (problem) {
      if (this.#end.signal.aborted) return;
      render(html`<p class="chart-empty" role="alert">${problem.message}</p>`, this.#root);
      this.#later.in(RELIST_MS, "list", () => this.#list());
    }
    this.#isListing = false;
    this.#listIfBehind();
  }

  #listIfBehind() {
    if (this.#catalogue.isBehind && !this.#isListing) this.#later.in(RELIST_MS, "list", () => this.#list());
  }

  /** The stream begins behind `position`: the metrics up to there only the API can tell. */
  startAt(position) {
    this.#growth.startAt(position, this.cards.values());
    this.#catalogue.owed = position;
    this.#listIfBehind();
  }

  /** Take a recorded event of the live stream, in its order. */
  onEvent(recorded) {
    if (recorded.event.type !== "metrics") return;
    this.#growth.push(recorded);
    const { event, attempt, rank } = recorded;
    const { step = null, values, x } = event;
    for (const name of Object.keys(values)) {
      if (!this.#catalogue.get(step, name)) {
        if (this.#catalogue.isFull) continue;
        this.#catalogue.add({ step, name, has_x: (x ?? null) !== null, attempt, rank });
        this.#laterRender();
      }
      const card = this.cards.get(this.#catalogue.get(step, name).key);
      if (card && !this.#until) this.#growth.grow(card, recorded, name);
    }
  }

  /** The stream left events out: only the API has them. */
  onCoalesced({ until }) {
    this.#growth.leaveOut(until, this.cards.values());
    this.#catalogue.owed = laterOf(until, this.#catalogue.owed);
    this.#listIfBehind();
  }

  /** Take the run state: what the live stream has sent lies at or before its position. */
  onState(job) {
    const isNewAttempt = this.#job !== null && this.#job.latest !== job.latest;
    this.#job = job;
    this.#growth.beginAt(job.position);
    if (isNewAttempt) this.#refreshAll();
  }

  /** Show the charts as they were at a position; null: as they are. */
  setUntil(position) {
    if (position === this.#until) return;
    this.#until = position;
    for (const card of this.cards.values()) card.hold(position !== null);
    this.#refreshAll();
  }

  destroy() {
    this.#end.abort();
    this.#growth.destroy();
    this.#later.giveUp();
    this.#watcher.disconnect();
    for (const card of this.cards.values()) card.destroy();
    render(null, this.#root);
  }

  /** Tell whether the choice shows a line of this attempt and rank; of the latest attempt only the API knows. */
  #isChosen(view, { attempt, rank }) {
    const { attempt: chosen, rank: chosenRank } = this.#choice;
    if (chosenRank !== "" && chosenRank !== "each" && String(rank) !== chosenRank) return false;
    if (chosen === "all") return true;
    if (chosen !== "") return String(attempt) === chosen;
    return view.lines.every(({ line }) => line.attempt === attempt);
  }

  #change(change) {
    this.#choice = { ...this.#choice, ...change };
    if ("search" in change) this.#page = 0;
    for (const card of this.cards.values()) card.set(this.#choice);
    if ("axis" in change || "attempt" in change || "rank" in change) {
      this.#zooms.clear();
      for (const card of this.cards.values()) card.restart();
    }
    this.#tell();
    this.#render();
  }

  /** Zoom all charts whose axis means the same: time everywhere, the others within a step. */
  #zoom(metric, span) {
    const scope = this.#scopeOf(metric);
    if (span === null) this.#zooms.delete(scope);
    else this.#zooms.set(scope, span);
    for (const [key, other] of this.cards) if (this.#scopeOf(this.#catalogue.metric(key)) === scope) other.zoom(span);
    this.#tell();
  }

  #scopeOf(metric) {
    return scopeOf(axisOf(metric, this.#choice.axis), metric.step);
  }

  #tell() {
    this.#onChoice(toAddress(this.#choice, this.#zooms));
  }

  #turn(page) {
    this.#page = page;
    this.#render();
    this.#root.scrollIntoView({ block: "start" });
  }

  #refreshAll() {
    for (const card of this.cards.values()) card.refresh();
  }

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      for (const card of this.cards.values()) if (card.element === target) card.setVisible(isIntersecting);
    }
  }

  #laterRender() {
    this.#later.in(RENDER_MS, "render", () => this.#render());
  }

  /** Keep the cards of the metrics that are shown, make those that are new, drop the others. */
  #renewCards(metrics) {
    const shown = new Map(metrics.map((metric) => [metric.key, this.cards.get(metric.key) ?? this.#newCard(metric)]));
    for (const [key, card] of this.cards) {
      if (shown.has(key)) continue;
      this.#watcher.unobserve(card.element);
      card.destroy();
    }
    this.cards = shown;
    for (const [key, card] of shown) card.setPinned(this.#pinned.has(key));
  }

  #newCard(metric) {
    const card = new Card({
      title: oneLine(metric.name) || "(no name)",
      syncKey: this.#jobId,
      span: this.#zooms.get(this.#scopeOf(metric)) ?? null,
      load: (span, signal) => fetchMetric(this.#jobId, metric, { ...this.#choice, until: this.#until }, span, signal),
      onLoaded: (view) => this.#growth.complete(metric, card, view),
      onZoom: (span) => this.#zoom(metric, span),
      onPin: () => this.#toggle(this.#pinned, "pinned metrics", metric.key),
    });
    card.owed = card.position = null;
    card.set(this.#choice);
    this.#watcher.observe(card.element);
    return card;
  }

  #toggle(set, name, key) {
    if (!set.delete(key)) set.add(key);
    keep(name, [...set]);
    this.#render();
  }

  #render() {
    const { isPattern, finds } = finder(this.#choice.search);
    const found = this.#catalogue.matching(finds);
    const groups = grouped(found, this.#pinned);
    const pages = paged(groups, this.#folded, CARDS_A_PAGE);
    this.#page = Math.min(this.#page, pages.length - 1);
    const shown = pages[this.#page];
    this.#renewCards(shown.flatMap(({ metrics }) => metrics));
    const tools = {
      isPattern,
      found: found.length,
      all: this.#catalogue.size,
      attempts: this.#catalogue.all("attempt"),
      ranks: this.#catalogue.all("rank"),
      change: (change) => this.#change(change),
    };
    render(
      html`
        <h2 class="visually-hidden">Metrics</h2>
        ${toolbar(this.#choice, tools)} ${shown.map((part) => this.#group(part))}
        ${found.length ? null : html`<p class="chart-empty">${this.#nothing()}</p>`}
        ${pages.length > 1 ? pager(this.#page, pages.length, (page) => this.#turn(page)) : null}
      `,
      this.#root,
    );
  }

  #group({ group, first, metrics }) {
    const isFolded = this.#folded.has(group.key);
    const fold = () => this.#toggle(this.#folded, "folded groups", group.key);
    return html`<section class="chart-group">
      ${groupHead(group, { isFolded, fold, first, shown: metrics.length })}
      ${isFolded ? null : html`<div class="chart-grid">${metrics.map(({ key }) => this.cards.get(key).element)}</div>`}
    </section>`;
  }

  #nothing() {
    if (this.#catalogue.size) return "No metric has this in its name.";
    return this.#isListed ? "No metrics yet." : "Looking for metrics…";
  }
}
