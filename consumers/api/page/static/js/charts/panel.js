/** All metrics of a job: a card each, in pages, loaded as they come into view, growing live. */

import { html, render } from "../../vendor/lit-html.js";
import { oneLine } from "../lib/format.js";
import { isAfter, laterOf } from "../lib/positions.js";
import { Card } from "./card.js";
import { Catalogue } from "./catalogue.js";
import { appendPoint, fetchMetric, finish, pointOf } from "./metricsource.js";
import { Recent } from "./recent.js";
import { pager, toolbar } from "./toolbar.js";

const CARDS_A_PAGE = 48;
const MOST_LIVE_POINTS = 2_000;
const CATCH_UP_MS = 1_500;
const RELIST_MS = 2_000;

const SHARED = { axis: "step", isLog: false, smoothing: 0 };

export class Charts {
  #root;
  #jobId;
  #catalogue;
  #recent = new Recent();
  /** Key of the metric → its card, of the page that is shown. */
  cards = new Map();
  #choice = { ...SHARED, attempt: "", rank: "", search: "" };
  #page = 0;
  #until = null;
  #job = null;
  #isListed = false;
  #isListing = false;
  #grown = new Set();
  #frame = 0;
  #timers = new Map();
  #end = new AbortController();
  #watcher;

  constructor(root, { jobId }) {
    this.#root = root;
    this.#jobId = jobId;
    this.#catalogue = new Catalogue(jobId);
    this.#watcher = new IntersectionObserver((entries) => this.#seen(entries), { scrollMargin: "200px" });
  }

  /** List the metrics and show the first page; again, when nothing known may be true any more. */
  load() {
    this.#recent = new Recent();
    for (const card of this.cards.values()) card.owed = card.position = null;
    this.#refreshAll();
    return this.#list();
  }

  async #list() {
    this.#isListing = true;
    try {
      for await (const _ of this.#catalogue.load(this.#end.signal)) this.#render();
      this.#isListed = true;
      this.#render();
    } catch (problem) {
      if (this.#end.signal.aborted) return;
      render(html`<p class="chart-empty" role="alert">${problem.message}</p>`, this.#root);
      this.#later("list", RELIST_MS, () => this.#list());
    }
    this.#isListing = false;
    this.#listIfBehind();
  }

  #listIfBehind() {
    if (this.#catalogue.isBehind && !this.#isListing) this.#later("list", RELIST_MS, () => this.#list());
  }

  /** The stream begins behind `position`: the metrics up to there only the API can tell. */
  startAt(position) {
    for (const card of this.cards.values()) {
      if (!card.view)
        card.owed = laterOf(position, card.owed ?? null); // its answer is on the way
      else if (isAfter(position, card.position ?? null)) this.#owe(card, position);
    }
    this.#catalogue.owed = position;
    this.#listIfBehind();
  }

  /** Take a recorded event of the live stream, in its order. */
  onEvent(recorded) {
    if (recorded.event.type !== "metrics") return;
    this.#recent.push(recorded);
    const { event, attempt, rank } = recorded;
    const { step = null, values, x } = event;
    for (const name of Object.keys(values)) {
      if (!this.#catalogue.get(step, name)) {
        if (this.#catalogue.isFull) continue;
        this.#catalogue.add({ step, name, has_x: (x ?? null) !== null, attempt, rank });
        this.#laterRender();
      }
      const card = this.cards.get(this.#catalogue.get(step, name).key);
      if (card && !this.#until) this.#grow(card, recorded, name);
    }
  }

  /** The stream left events out: only the API has them. */
  onCoalesced({ until }) {
    this.#recent.restartAt(until);
    for (const card of this.cards.values()) this.#owe(card, until);
    this.#catalogue.owed = laterOf(until, this.#catalogue.owed);
    this.#listIfBehind();
  }

  /** Take the run state: what the live stream has sent lies at or before its position. */
  onState(job) {
    const isNewAttempt = this.#job !== null && this.#job.latest !== job.latest;
    this.#job = job;
    this.#recent.beginAt(job.position);
    if (isNewAttempt) this.#refreshAll();
  }

  /** Show the charts as they were at a position; null: as they are. */
  setUntil(position) {
    if (position === this.#until) return;
    this.#until = position;
    for (const card of this.cards.values()) card.pin(position !== null);
    this.#refreshAll();
  }

  destroy() {
    this.#end.abort();
    cancelAnimationFrame(this.#frame);
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#watcher.disconnect();
    for (const card of this.cards.values()) card.destroy();
    render(null, this.#root);
  }

  #grow(card, recorded, name) {
    if (!card.isVisible) card.refresh(); // when it is seen again
    if (!card.isVisible || !card.view || card.isLoading) return; // an answer is completed when it comes
    if (!isAfter(recorded.position, card.position)) return; // the answer had it
    if (!this.#append(card.view, recorded, name)) {
      this.#owe(card, recorded.position);
      return;
    }
    if (card.view.lines.some(({ line }) => line.liveCount > MOST_LIVE_POINTS || !line.isOrdered)) {
      this.#owe(card, recorded.position);
    }
    this.#grown.add(card);
    this.#frame ||= requestAnimationFrame(() => this.#redrawGrown());
  }

  #redrawGrown() {
    this.#frame = 0;
    for (const card of this.#grown) {
      finish(card.view);
      card.redraw();
    }
    this.#grown.clear();
  }

  /** Add what came live behind the position of an answer; what is not known here must be asked for again. */
  #complete(metric, card, view) {
    card.position = view.position;
    if (view.until !== null) return;
    for (const recorded of this.#recent.after(view.position)) {
      const { event } = recorded;
      if ((event.step ?? null) !== metric.step || !Object.hasOwn(event.values, metric.name)) continue;
      if (!this.#append(view, recorded, metric.name)) card.owed = laterOf(recorded.position, card.owed);
    }
    finish(view);
    if (!this.#recent.covers(view.position)) card.owed = laterOf(this.#recent.floor, card.owed);
    if (isAfter(card.owed, view.position)) this.#owe(card, card.owed);
  }

  /** Add a live point to a view; returns false when only the API knows where it belongs. */
  #append(view, { event, attempt, rank }, name) {
    const home = { attempt, rank };
    return this.#isChosen(view, home) && appendPoint(view, home, pointOf(event, name));
  }

  /** Have a card ask the API again until its answer holds `position`. */
  #owe(card, position) {
    card.owed = laterOf(position, card.owed);
    this.#later(card, CATCH_UP_MS, () => card.refresh());
  }

  /** Tell whether the choice shows a line of this attempt and rank; of the latest attempt only the API knows. */
  #isChosen(view, { attempt, rank }) {
    const { attempt: chosen, rank: chosenRank } = this.#choice;
    if (chosenRank !== "" && String(rank) !== chosenRank) return false;
    if (chosen === "all") return true;
    if (chosen !== "") return String(attempt) === chosen;
    return view.lines.every(({ line }) => line.attempt === attempt);
  }

  #change(change) {
    this.#choice = { ...this.#choice, ...change };
    if ("search" in change) this.#page = 0;
    for (const card of this.cards.values()) card.set(this.#choice);
    if ("axis" in change || "attempt" in change || "rank" in change)
      for (const card of this.cards.values()) card.restart();
    this.#render();
  }

  /** Zoom all charts whose axis means the same: time everywhere, the others within a step. */
  #zoom(metric, card, span) {
    const { axis } = card.view;
    for (const [key, other] of this.cards) {
      const isAlike = other.view?.axis === axis && (axis.isTime || this.#catalogue.metric(key).step === metric.step);
      if (isAlike) other.zoom(span);
    }
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

  #later(key, milliseconds, action) {
    if (this.#timers.has(key)) return;
    const run = () => {
      this.#timers.delete(key);
      action();
    };
    this.#timers.set(key, setTimeout(run, milliseconds));
  }

  #laterRender() {
    this.#later("render", RELIST_MS / 10, () => this.#render());
  }

  /** Keep the cards of the metrics that are shown, make those that are new, drop the others. */
  #renewCards(metrics) {
    const kept = new Map(metrics.map((metric) => [metric.key, this.cards.get(metric.key) ?? this.#newCard(metric)]));
    for (const [key, card] of this.cards) {
      if (kept.has(key)) continue;
      this.#watcher.unobserve(card.element);
      card.destroy();
    }
    this.cards = kept;
  }

  #newCard(metric) {
    const card = new Card({
      title: oneLine(metric.name) || "(no name)",
      syncKey: this.#jobId,
      load: (span, signal) => fetchMetric(this.#jobId, metric, { ...this.#choice, until: this.#until }, span, signal),
      onLoaded: (view) => this.#complete(metric, card, view),
      onZoom: (span) => this.#zoom(metric, card, span),
    });
    card.owed = card.position = null;
    card.set(this.#choice);
    this.#watcher.observe(card.element);
    return card;
  }

  #render() {
    const found = this.#catalogue.matching(this.#choice.search);
    const pages = Math.max(1, Math.ceil(found.length / CARDS_A_PAGE));
    this.#page = Math.min(this.#page, pages - 1);
    const shown = found.slice(this.#page * CARDS_A_PAGE, (this.#page + 1) * CARDS_A_PAGE);
    this.#renewCards(shown);
    const tools = {
      found: found.length,
      all: this.#catalogue.size,
      attempts: this.#catalogue.all("attempt"),
      ranks: this.#catalogue.all("rank"),
      change: (change) => this.#change(change),
    };
    const groups = [...Map.groupBy(shown, ({ step }) => step)];
    render(
      html`
        <h2 class="visually-hidden">Metrics</h2>
        ${toolbar(this.#choice, tools)} ${groups.map(([step, metrics]) => this.#group(step, metrics))}
        ${found.length ? null : html`<p class="chart-empty">${this.#nothing()}</p>`}
        ${pages > 1 ? pager(this.#page, pages, (page) => this.#turn(page)) : null}
      `,
      this.#root,
    );
  }

  #group(step, metrics) {
    return html`<section class="chart-group">
      <h3>${step === null ? "Without a step" : oneLine(step)}</h3>
      <div class="chart-grid">${metrics.map(({ key }) => this.cards.get(key).element)}</div>
    </section>`;
  }

  #nothing() {
    if (this.#catalogue.size) return "No metric has this in its name.";
    return this.#isListed ? "No metrics yet." : "Looking for metrics…";
  }
}
