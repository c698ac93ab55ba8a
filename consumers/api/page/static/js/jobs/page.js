/** `/`: all jobs, live. */

import { html, nothing, render } from "../../vendor/lit-html.js";
import { icon, STATUS } from "../lib/icons.js";
import { formatCount } from "../lib/numbers.js";
import { Rows } from "../lib/rows.js";
import { jobsLive } from "../server/api.js";
import { JobList } from "./list.js";
import { cells } from "./row.js";

const COLUMNS = ["Job", "Status", "Progress", "Started", "Events", "Trouble"];
const FILTERS = ["status", "action", "q", "filter"];
const FILTER_HELP =
  "Labels, params, metrics (last, .min, .max), status, duration, owner and more, by =, <, >, LIKE, IN, AND, OR, NOT: " +
  "as `synapse-stream jobs --filter`";
const TYPING_MS = 200;
const TABLE_HEAD_PX = 32;
const ROWS_AHEAD = 50;

export class JobsPage {
  #cursor = null;
  #chosen = new Set();
  #actions = new Set();
  #typing = null;
  #frame = null;

  constructor(root, params, page) {
    this.page = page;
    this.list = new JobList(
      () => this.#schedule(),
      () => this.#isRead(),
    );
    const filters = Object.fromEntries(FILTERS.map((name) => [name, params.get(name) ?? ""]));
    this.list.filters = filters;
    page.title("Jobs");
    render(this.#shell(filters), root);
    this.root = root;
    this.scroller = root.querySelector(".jobs-scroll");
    this.rows = new Rows({
      scroller: this.scroller,
      body: root.querySelector("tbody"),
      tag: "tr",
      keyOf: (job) => job.job_id,
      draw: (job, row, index) => this.#row(job, row, index),
      onRange: (_, stop) => {
        if (stop > this.list.jobs.length - ROWS_AHEAD) this.list.more();
      },
    });
    this.stream = jobsLive({
      onJob: (summary) => this.list.merge(summary),
      onConnection: (state, problem) => {
        page.connection(state, problem);
        if (state !== "reconnecting") this.list.refresh(); // at first, and whatever changed while nobody listened
      },
    });
    this.ticking = setInterval(() => this.#schedule(), 1000);
    addEventListener("keydown", this.#keys);
  }

  destroy() {
    this.stream.close();
    this.list.destroy();
    this.rows.destroy();
    clearInterval(this.ticking);
    clearTimeout(this.#typing);
    cancelAnimationFrame(this.#frame);
    removeEventListener("keydown", this.#keys);
  }

  #schedule() {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      this.#draw();
    });
  }

  /** True while rows must not move: one has scrolled, or points at them, or goes through them by keyboard. */
  #isRead() {
    const { scroller } = this;
    return scroller.scrollTop > 0 || scroller.matches(":hover") || scroller.contains(document.activeElement);
  }

  #showFresh = () => {
    this.list.showFresh();
    this.scroller.scrollTop = 0;
  };

  #draw() {
    const { list } = this;
    if (list.freshCount > 0 && !this.#isRead()) list.showFresh();
    for (const job of list.jobs) if (job.action) this.#actions.add(job.action);
    this.rows.update(list.jobs);
    render(this.#fresh(), this.root.querySelector("#job-fresh"));
    render(this.#counts(), this.root.querySelector("#job-count"));
    render(this.#note(), this.root.querySelector("#job-note"));
    render(this.#compare(), this.root.querySelector("#compare"));
    render(
      [...this.#actions].sort().map((name) => html`<option value=${name}></option>`),
      this.root.querySelector("#actions"),
    );
    const table = this.root.querySelector("table");
    table.setAttribute("aria-rowcount", list.hasMore ? -1 : list.jobs.length + 1);
    table.hidden = list.jobs.length === 0;
  }

  #shell(filters) {
    const option = ([value, { word }]) =>
      html`<option value=${value} ?selected=${value === filters.status}>${word}</option>`;
    const statuses = Object.entries(STATUS).filter(([name]) => name !== "skipped");
    return html`<div class="jobs">
      <form
        class="jobs-bar"
        role="search"
        aria-label="Jobs"
        @submit=${(event) => event.preventDefault()}
        @input=${this.#filter}>
        <h1>Jobs</h1>
        <span id="job-count" class="note"></span>
        <input
          class="grow"
          type="search"
          name="q"
          .value=${filters.q}
          aria-label="Search by id or action"
          placeholder="Search id or action  ( / )"
          autocomplete="off"
          spellcheck="false"
          maxlength="200" />
        <select name="status" aria-label="Status">
          <option value="">Any status</option>
          ${statuses.map(option)}
        </select>
        <input
          name="action"
          class="action"
          .value=${filters.action}
          list="actions"
          aria-label="Action"
          placeholder="Any action"
          autocomplete="off"
          maxlength="200" />
        <datalist id="actions"></datalist>
        <input
          name="filter"
          class="grow wanted"
          .value=${filters.filter}
          aria-label="Filter by what runs have"
          placeholder="metrics.loss.min < 0.3 AND params.lr > 0.1"
          title=${FILTER_HELP}
          autocomplete="off"
          spellcheck="false"
          maxlength="2000" />
        <span id="compare"></span>
      </form>
      <div class="jobs-scroll" tabindex="-1">
        <div id="job-fresh" class="jobs-fresh" aria-live="polite"></div>
        <table class="jobs-table" hidden>
          <caption class="visually-hidden">
            Jobs, the newest first
          </caption>
          <thead>
            <tr>
              <th scope="col" class="choose"><span class="visually-hidden">Compare</span></th>
              ${COLUMNS.map((name) => html`<th scope="col" class="c-${name.toLowerCase()}">${name}</th>`)}
            </tr>
          </thead>
          <tbody></tbody>
        </table>
        <div id="job-note" aria-live="polite"></div>
      </div>
    </div>`;
  }

  #row(job, row, index) {
    row.setAttribute("aria-rowindex", index + 2);
    row.classList.toggle("cursor", job.job_id === this.#cursor);
    return cells(job, {
      isChosen: this.#chosen.has(job.job_id),
      choose: (isChosen) => this.#choose(job.job_id, isChosen),
      focus: () => this.#focus(job.job_id),
    });
  }

  #fresh() {
    const { freshCount } = this.list;
    if (freshCount === 0) return nothing;
    return html`<button type="button" @click=${this.#showFresh}>${icon("up")} ${formatCount(freshCount)} new</button>`;
  }

  #counts() {
    const { jobs, hasMore } = this.list;
    return html`${formatCount(jobs.length)}${hasMore ? "+" : ""}`;
  }

  #note() {
    const { jobs, problem, isLoading, filters } = this.list;
    if (problem)
      return html`<p class="alert">
        ${problem.message} <button type="button" @click=${() => this.list.refresh()}>Try again</button>
      </p>`;
    if (jobs.length > 0) return isLoading ? html`<p class="loading">Loading …</p>` : nothing;
    if (isLoading) return html`<p class="empty">Loading …</p>`;
    if (FILTERS.some((name) => filters[name])) {
      return html`<div class="empty">
        <p>No job matches.</p>
        <p><a href="./">Show all jobs</a></p>
      </div>`;
    }
    return html`<div class="empty">
      <h2>No jobs yet</h2>
      <p>The first one appears here as soon as it reports.</p>
      <pre tabindex="0" role="region" aria-label="Example">
from synapse_stream import open_run

with open_run("job-1") as ctx:
    ctx.set_progress(1, 10, step="training")</pre>
    </div>`;
  }

  #compare() {
    const chosen = [...this.#chosen];
    if (chosen.length === 0) return nothing;
    if (chosen.length === 1) return html`<span class="note">1 chosen; choose another to compare</span>`;
    const ids = new URLSearchParams(chosen.map((id) => ["id", id]));
    return html`<a class="button" href="compare?${ids}">Compare ${chosen.length}</a>`;
  }

  #choose(id, isChosen) {
    if (isChosen) this.#chosen.add(id);
    else this.#chosen.delete(id);
    this.#schedule();
  }

  #focus(id) {
    this.#cursor = id;
    this.#schedule();
  }

  #filter = ({ currentTarget: form }) => {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => {
      const filters = Object.fromEntries(FILTERS.map((name) => [name, form.elements[name].value.trim()]));
      this.page.replaceQuery(filters);
      this.scroller.scrollTop = 0;
      this.list.filter(filters);
    }, TYPING_MS);
  };

  #keys = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || this.page.isBusy()) return;
    const isTyping = event.target.matches?.("input:not([type=checkbox]), select, textarea");
    if (event.key === "/" && !isTyping) this.root.querySelector("[name=q]").focus();
    else if (event.key === "Escape" && isTyping) event.target.blur();
    else if ((event.key === "j" || event.key === "ArrowDown") && !isTyping) this.#move(1);
    else if ((event.key === "k" || event.key === "ArrowUp") && !isTyping) this.#move(-1);
    else if (event.key === "x" && !isTyping && this.#cursor !== null)
      this.#choose(this.#cursor, !this.#chosen.has(this.#cursor));
    else return;
    event.preventDefault();
  };

  #move(step) {
    const { jobs } = this.list;
    if (jobs.length === 0) return;
    const at = jobs.findIndex((job) => job.job_id === this.#cursor);
    const index = at < 0 ? 0 : Math.max(0, Math.min(jobs.length - 1, at + step));
    this.#cursor = jobs[index].job_id;
    this.rows.reveal(index, TABLE_HEAD_PX);
    this.rows.elementOf(this.#cursor)?.querySelector("a").focus({ preventScroll: true });
  }
}
