/** The message feed: follows the end, reads back page by page; `shownAt` is the position of a message to begin with. */

import { html, nothing, render } from "../../vendor/lit-html.js";
import { coloured } from "../lib/ansi.js";
import { clock, cut, exactTime, isOfToday, oneLine } from "../lib/format.js";
import { textOf } from "../lib/free.js";
import { icon, LEVELS, lookOf } from "../lib/icons.js";
import { formatCount } from "../lib/numbers.js";
import { Rows } from "../lib/rows.js";
import * as session from "../server/session.js";
import { Detail, hasData } from "./detail.js";
import { Messages } from "./messages.js";

const TYPING_MS = 250;

export class Feed {
  #isFollowing = true;
  #readUpTo = 0;
  #first = 0;
  #top = 0;
  #frame = null;
  #typing = null;
  #levels = {};
  #steps = [];
  #hasRanks = false;
  #hasAttempts = false;

  constructor(root, jobId, { shownAt = null, onSelect = () => {} } = {}) {
    this.root = root;
    this.detail = new Detail(jobId, () => {
      onSelect(this.detail.item?.position ?? null);
      this.schedule();
    });
    this.model = new Messages(jobId, () => this.schedule());
    render(this.#shell(), root);
    this.scroller = root.querySelector(".feed-scroll");
    this.rows = new Rows({
      scroller: this.scroller,
      body: this.scroller,
      tag: "div",
      keyOf: (item) => item.position,
      draw: (item, row, index) => this.#row(item, row, index),
    });
    this.scroller.addEventListener("scroll", this.#scrolled, { passive: true });
    this.model.reload();
    if (shownAt !== null) this.detail.showAt(shownAt, session.role !== "viewer");
  }

  destroy() {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#typing);
    this.rows.destroy();
    this.model.destroy();
    this.detail.destroy();
  }

  /** Take what the toolbar offers from a run state. */
  onState(job, attempt) {
    this.#levels = attempt.levels;
    this.#hasAttempts = job.attempts.length > 1;
    this.#hasRanks = attempt.ranks.length > 1;
    this.#steps = attempt.steps.map(({ name }) => name).filter((name) => name !== null);
    this.schedule();
  }

  follow() {
    this.#isFollowing = true;
    this.schedule();
  }

  toggleDev() {
    if (session.role !== "viewer") this.#filter({ dev: !this.model.filters.dev });
  }

  focusSearch() {
    this.root.querySelector("[type=search]").focus();
  }

  /** Select the next or the previous message. */
  move(step) {
    const { shown } = this.model;
    if (shown.length === 0) return;
    const at = shown.findIndex(({ position }) => position === this.detail.item?.position);
    const index = at < 0 ? shown.length - 1 : Math.max(0, Math.min(shown.length - 1, at + step));
    this.#isFollowing = false;
    this.rows.reveal(index);
    this.detail.show(shown[index]);
  }

  schedule() {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      this.#draw();
    });
  }

  #draw() {
    const { model, scroller, rows } = this;
    const shown = model.shown;
    render(this.#tools(), this.root.querySelector(".feed-tools"));
    const ends = [shown[0], shown.at(-1)].filter(Boolean);
    this.root.classList.toggle(
      "with-days",
      ends.some(({ time }) => !isOfToday(time)),
    );
    rows.update(shown);
    if (this.#isFollowing) {
      scroller.scrollTop = scroller.scrollHeight;
      this.#top = scroller.scrollTop; // its event may come after somebody has scrolled up from there
      this.#readUpTo = model.first + shown.length;
    } else scroller.scrollTop += (this.#first - model.first) * rows.height; // what is read stays where it is
    this.#first = model.first;
    rows.update();
    const { item } = this.detail;
    const at = item && rows.elementOf(item.position);
    if (at) scroller.setAttribute("aria-activedescendant", at.id);
    else scroller.removeAttribute("aria-activedescendant");
    render(this.#note(shown), this.root.querySelector(".feed-note"));
    render(this.#newest(shown), this.root.querySelector(".feed-newest"));
    render(this.detail.draw(model.filters), this.root.querySelector(".feed-detail"));
    this.detail.settle(this.root);
    if (scroller.scrollTop < scroller.clientHeight) model.older();
  }

  /** Only who scrolls up stops following: the end also moves away by itself, when there is more. */
  #scrolled = () => {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < this.rows.height * 1.5;
    const isFollowing = isAtEnd || (this.#isFollowing && scrollTop >= this.#top);
    this.#top = scrollTop;
    if (isFollowing !== this.#isFollowing) {
      this.#isFollowing = isFollowing;
      this.schedule();
    } else if (scrollTop < clientHeight) this.model.older();
  };

  #shell() {
    const keys = (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
      if (step) this.move(step);
      else if (event.key === "End") this.follow();
      else return;
      event.preventDefault();
      event.stopPropagation();
    };
    return html`<div class="panel-head">
        <h2 id="feed-title">Messages</h2>
        <div class="feed-tools"></div>
      </div>
      <div class="feed-body">
        <div class="feed-scroll" role="listbox" tabindex="0" aria-labelledby="feed-title" @keydown=${keys}></div>
        <div class="feed-note"></div>
        <div class="feed-newest"></div>
      </div>
      <div class="feed-detail"></div>`;
  }

  #tools() {
    const { filters } = this.model;
    const names = Object.keys(LEVELS).filter(
      (name) => this.#levels[name] || filters.levels.includes(name) || (filters.dev && name === "debug"),
    );
    const search = (event) => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#filter({ text: event.target.value }), TYPING_MS);
    };
    const pickStep = ({ target }) =>
      this.#filter({ step: target.selectedIndex === 0 ? null : this.#steps[target.selectedIndex - 1] });
    return html`<input
        type="search"
        aria-label="Search messages"
        placeholder="Search"
        maxlength="200"
        autocomplete="off"
        spellcheck="false"
        @input=${search} />
      ${
        this.#steps.length > 1
          ? html`<select aria-label="Step" @change=${pickStep}>
              <option>All steps</option>
              ${this.#steps.map(
                (name) => html`<option ?selected=${name === filters.step}>${oneLine(name, 60)}</option>`,
              )}
            </select>`
          : nothing
      }
      <div class="levels" role="group" aria-label="Levels">${names.map((name) => this.#level(name))}</div>
      ${
        session.role === "viewer"
          ? nothing
          : html`<label class="switch"
              ><input type="checkbox" role="switch" .checked=${filters.dev} @change=${() => this.toggleDev()} /> Dev
              events</label
            >`
      }`;
  }

  #level(name) {
    const { levels } = this.model.filters;
    const isOn = levels.includes(name);
    const press = () => this.#filter({ levels: isOn ? levels.filter((other) => other !== name) : [...levels, name] });
    const look = lookOf(LEVELS, name);
    return html`<button type="button" class="level plain-${look.tone}" aria-pressed=${isOn} @click=${press}>
      ${icon(look.icon)}${name} <span class="count">${this.#levels[name] ? formatCount(this.#levels[name]) : ""}</span>
    </button>`;
  }

  #filter(change) {
    this.#isFollowing = true;
    this.detail.show(null);
    this.model.filter(change);
  }

  #row(item, row, index) {
    const look = lookOf(LEVELS, item.level);
    row.id = `m-${item.position.replace(".", "-")}`;
    row.className = `message level-${look.tone} kind-${item.kind}`;
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", item.position === this.detail.item?.position);
    row.setAttribute("aria-posinset", index + 1);
    row.setAttribute("aria-setsize", this.model.hasOlder ? -1 : this.rows.items.length);
    row.onclick = () => {
      this.#isFollowing &&= index === this.model.items.length - 1;
      this.detail.show(this.detail.item?.position === item.position ? null : item);
    };
    const origin = [item.step, this.#hasRanks && `rank ${item.rank}`, this.#hasAttempts && `attempt ${item.attempt}`]
      .filter(Boolean)
      .join(" · ");
    const data = hasData(item) ? ` ${textOf(item.data, { line: true }).slice(0, 200)}` : "";
    return html`<span class="m-time" title=${exactTime(item.time)}>${clock(item.time)}</span>
      <span class="m-level plain-${look.tone}"
        >${icon(look.icon)}<span>${item.kind === "dev_event" ? "dev" : item.level}</span></span
      >
      <span class="m-text"
        ><bdi dir="auto">${coloured(cut(item.content, 500), { line: true })}</bdi
        >${data ? html`<code>${oneLine(data)}</code>` : nothing}</span
      >
      <span class="m-origin" title=${cut(origin, 300)}><bdi>${oneLine(origin, 60)}</bdi></span>`;
  }

  #note(shown) {
    const { isLoading, problem, filters } = this.model;
    if (problem) return html`<p class="alert">${problem.message} Trying again …</p>`;
    if (shown.length > 0) return nothing;
    if (isLoading) return html`<p class="empty">Loading …</p>`;
    const isFiltered = filters.levels.length > 0 || filters.text || filters.step !== null;
    return html`<p class="empty">${isFiltered ? "No message matches." : "No messages yet."}</p>`;
  }

  #newest(shown) {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < this.rows.height;
    if (this.#isFollowing || isAtEnd) return nothing;
    const unread = Math.max(0, this.model.first + shown.length - this.#readUpTo);
    return html`<button type="button" @click=${() => this.follow()}>
      ${icon("down")} ${unread ? `${formatCount(unread)} new` : "Jump to newest"}
    </button>`;
  }
}
