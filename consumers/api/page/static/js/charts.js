/** All metrics of a job: a card each, in pages, loaded as they come into view, growing live. */

import { html, render } from "../vendor/lit-html.js";
import { Card } from "./card.js";
import { Catalogue } from "./catalogue.js";
import { oneLine } from "./format.js";
import { toNumber } from "./line.js";
import { appendPoint, fetchMetric, finish } from "./metricsource.js";
import { isAfter, laterOf } from "./positions.js";
import { Recent } from "./recent.js";
import { pager, toolbar } from "./toolbar.js";

const CARDS_A_PAGE = 48;
const MOST_LIVE_POINTS = 2_000;
const CATCH_UP_MS = 1_500;
const RELIST_MS = 2_000;

const SHARED = { axis: "step", isLog: false, smoothing: 0 };

export class Charts {
  constructor(root, { jobId }) {
    this._root = root;
    this._jobId = jobId;
    this._catalogue = new Catalogue(jobId);
    this._recent = new Recent();
    this._cards = new Map(); // key of the metric → its card, of the page that is shown
    this._choice = { ...SHARED, attempt: "", rank: "", search: "" };
    this._page = 0;
    this._until = null;
    this._job = null;
    this._isListed = this._isListing = false;
    this._grown = new Set();
    this._frame = 0;
    this._timers = new Map();
    this._end = new AbortController();
    this._watcher = new IntersectionObserver((entries) => this._seen(entries), { scrollMargin: "200px" });
  }

  /** List the metrics and show the first page; again, when nothing known may be true any more. */
  load() {
    this._recent = new Recent();
    for (const card of this._cards.values()) card.owed = card.position = null;
    this._refreshAll();
    return this._list();
  }

  async _list() {
    this._isListing = true;
    try {
      for await (const _ of this._catalogue.load(this._end.signal)) this._render();
      this._isListed = true;
      this._render();
    } catch (problem) {
      if (this._end.signal.aborted) return;
      render(html`<p class="chart-empty" role="alert">${problem.message}</p>`, this._root);
      this._later("list", RELIST_MS, () => this._list());
    }
    this._isListing = false;
    this._listIfBehind();
  }

  _listIfBehind() {
    if (this._catalogue.isBehind && !this._isListing) this._later("list", RELIST_MS, () => this._list());
  }

  /** The stream begins behind `position`: the metrics up to there only the API can tell. */
  startAt(position) {
    for (const card of this._cards.values()) {
      if (!card.view) card.owed = laterOf(position, card.owed ?? null); // its answer is on the way
      else if (isAfter(position, card.position ?? null)) this._owe(card, position);
    }
    this._catalogue.owed = position;
    this._listIfBehind();
  }

  /** Take a recorded event of the live stream, in its order. */
  onEvent(recorded) {
    if (recorded.event.type !== "metrics") return;
    this._recent.push(recorded);
    const { event, attempt, rank } = recorded;
    const { step = null, values, x } = event;
    for (const name of Object.keys(values)) {
      if (!this._catalogue.get(step, name)) {
        if (this._catalogue.isFull) continue;
        this._catalogue.add({ step, name, has_x: (x ?? null) !== null, attempt, rank });
        this._laterRender();
      }
      const card = this._cards.get(this._catalogue.get(step, name).key);
      if (card && !this._until) this._grow(card, recorded, name);
    }
  }

  /** The stream left events out: only the API has them. */
  onCoalesced({ until }) {
    this._recent.restartAt(until);
    for (const card of this._cards.values()) this._owe(card, until);
    this._catalogue.owed = laterOf(until, this._catalogue.owed);
    this._listIfBehind();
  }

  /** Take the run state: what the live stream has sent lies at or before its position. */
  onState(job) {
    const isNewAttempt = this._job !== null && this._job.latest !== job.latest;
    this._job = job;
    this._recent.beginAt(job.position);
    if (isNewAttempt) this._refreshAll();
  }

  /** Show the charts as they were at a position; null: as they are. */
  setUntil(position) {
    if (position === this._until) return;
    this._until = position;
    for (const card of this._cards.values()) card.pin(position !== null);
    this._refreshAll();
  }

  destroy() {
    this._end.abort();
    cancelAnimationFrame(this._frame);
    for (const timer of this._timers.values()) clearTimeout(timer);
    this._watcher.disconnect();
    for (const card of this._cards.values()) card.destroy();
    render(null, this._root);
  }

  _grow(card, recorded, name) {
    if (!card.isVisible) card.refresh(); // when it is seen again
    if (!card.isVisible || !card.view || card.isLoading) return; // an answer is completed when it comes
    if (!isAfter(recorded.position, card.position)) return; // the answer had it
    if (!this._append(card.view, recorded, name)) {
      this._owe(card, recorded.position);
      return;
    }
    if (card.view.lines.some(({ line }) => line.liveCount > MOST_LIVE_POINTS || !line.isOrdered)) {
      this._owe(card, recorded.position);
    }
    this._grown.add(card);
    this._frame ||= requestAnimationFrame(() => this._redrawGrown());
  }

  _redrawGrown() {
    this._frame = 0;
    for (const card of this._grown) {
      finish(card.view);
      card.redraw();
    }
    this._grown.clear();
  }

  /** Add what came live behind the position of an answer; what is not known here must be asked for again. */
  _complete(metric, card, view) {
    card.position = view.position;
    if (view.until !== null) return;
    for (const recorded of this._recent.after(view.position)) {
      const { event } = recorded;
      if ((event.step ?? null) !== metric.step || !Object.hasOwn(event.values, metric.name)) continue;
      if (!this._append(view, recorded, metric.name)) card.owed = laterOf(recorded.position, card.owed);
    }
    finish(view);
    if (!this._recent.covers(view.position)) card.owed = laterOf(this._recent.floor, card.owed);
    if (isAfter(card.owed, view.position)) this._owe(card, card.owed);
  }

  /** Add a live point to a view; returns false when only the API knows where it belongs. */
  _append(view, { event, attempt, rank }, name) {
    const home = { attempt, rank };
    return this._isChosen(view, home) && appendPoint(view, home, pointOf(event, name));
  }

  /** Have a card ask the API again until its answer holds `position`. */
  _owe(card, position) {
    card.owed = laterOf(position, card.owed);
    this._later(card, CATCH_UP_MS, () => card.refresh());
  }

  /** Tell whether the choice shows a line of this attempt and rank; of the latest attempt only the API knows. */
  _isChosen(view, { attempt, rank }) {
    const { attempt: chosen, rank: chosenRank } = this._choice;
    if (chosenRank !== "" && String(rank) !== chosenRank) return false;
    if (chosen === "all") return true;
    if (chosen !== "") return String(attempt) === chosen;
    return view.lines.every(({ line }) => line.attempt === attempt);
  }

  _change(change) {
    this._choice = { ...this._choice, ...change };
    if ("search" in change) this._page = 0;
    for (const card of this._cards.values()) card.set(this._choice);
    if ("axis" in change || "attempt" in change || "rank" in change) for (const card of this._cards.values()) card.restart();
    this._render();
  }

  /** Zoom all charts whose axis means the same: time everywhere, the others within a step. */
  _zoom(metric, card, span) {
    const { axis } = card.view;
    for (const [key, other] of this._cards) {
      const isAlike = other.view?.axis === axis && (axis.isTime || this._catalogue.metric(key).step === metric.step);
      if (isAlike) other.zoom(span);
    }
  }

  _turn(page) {
    this._page = page;
    this._render();
    this._root.scrollIntoView({ block: "start" });
  }

  _refreshAll() {
    for (const card of this._cards.values()) card.refresh();
  }

  _seen(entries) {
    for (const { target, isIntersecting } of entries) {
      for (const card of this._cards.values()) if (card.element === target) card.setVisible(isIntersecting);
    }
  }

  _later(key, milliseconds, action) {
    if (this._timers.has(key)) return;
    const run = () => {
      this._timers.delete(key);
      action();
    };
    this._timers.set(key, setTimeout(run, milliseconds));
  }

  _laterRender() {
    this._later("render", RELIST_MS / 10, () => this._render());
  }

  /** Keep the cards of the metrics that are shown, make those that are new, drop the others. */
  _renewCards(metrics) {
    const kept = new Map(metrics.map((metric) => [metric.key, this._cards.get(metric.key) ?? this._newCard(metric)]));
    for (const [key, card] of this._cards) {
      if (kept.has(key)) continue;
      this._watcher.unobserve(card.element);
      card.destroy();
    }
    this._cards = kept;
  }

  _newCard(metric) {
    const card = new Card({
      title: oneLine(metric.name) || "(no name)",
      syncKey: this._jobId,
      load: (span, signal) => fetchMetric(this._jobId, metric, { ...this._choice, until: this._until }, span, signal),
      onLoaded: (view) => this._complete(metric, card, view),
      onZoom: (span) => this._zoom(metric, card, span),
    });
    card.owed = card.position = null;
    card.set(this._choice);
    this._watcher.observe(card.element);
    return card;
  }

  _render() {
    const found = this._catalogue.matching(this._choice.search);
    const pages = Math.max(1, Math.ceil(found.length / CARDS_A_PAGE));
    this._page = Math.min(this._page, pages - 1);
    const shown = found.slice(this._page * CARDS_A_PAGE, (this._page + 1) * CARDS_A_PAGE);
    this._renewCards(shown);
    const tools = {
      found: found.length,
      all: this._catalogue.size,
      attempts: this._catalogue.all("attempt"),
      ranks: this._catalogue.all("rank"),
      change: (change) => this._change(change),
    };
    const groups = [...Map.groupBy(shown, ({ step }) => step)];
    render(
      html`
        <h2 class="visually-hidden">Metrics</h2>
        ${toolbar(this._choice, tools)}
        ${groups.map(([step, metrics]) => this._group(step, metrics))}
        ${found.length ? null : html`<p class="chart-empty">${this._nothing()}</p>`}
        ${pages > 1 ? pager(this._page, pages, (page) => this._turn(page)) : null}
      `,
      this._root,
    );
  }

  _group(step, metrics) {
    return html`<section class="chart-group">
      <h3>${step === null ? "Without a step" : oneLine(step)}</h3>
      <div class="chart-grid">${metrics.map(({ key }) => this._cards.get(key).element)}</div>
    </section>`;
  }

  _nothing() {
    if (this._catalogue.size) return "No metric has this in its name.";
    return this._isListed ? "No metrics yet." : "Looking for metrics…";
  }
}

function pointOf({ time, x = null, values }, name) {
  return { time, x: x === null ? null : toNumber(x), value: toNumber(values[name]) };
}
