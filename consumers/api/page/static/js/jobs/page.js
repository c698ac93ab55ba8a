/** `/`: all jobs, live. */

import { html, nothing, render } from "../../vendor/lit-html.js";
import { icon } from "../lib/icons.js";
import { keep } from "../lib/kept.js";
import { formatCount } from "../lib/numbers.js";
import { Rows } from "../lib/rows.js";
import { jobsLive } from "../server/api.js";
import { columnsOf, heads } from "./columns.js";
import { JobList } from "./list.js";
import { cells } from "./row.js";
import { shell } from "./shell.js";
import { editColumns, viewPicker, views } from "./views.js";

const FIELDS = ["status", "action", "q", "filter"]; // of the form
const FILTERS = [...FIELDS, "sort", "columns"]; // what the API is asked
const SHOWN = ["hide", "view"]; // what only the page knows
const TYPING_MS = 200;
const TABLE_HEAD_PX = 32;
const ROWS_AHEAD = 50;
const LEAST_REM = 28; // the list is as wide with chosen columns, and each takes that much more
const CHOSEN_REM = 8.5;

export class JobsPage {
  #cursor = null;
  #shown; // {hide, view}
  #columns;
  #top = null; // where to scroll to, as soon as the rows are there
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
    const read = (names) => Object.fromEntries(names.map((name) => [name, params.get(name) ?? ""]));
    this.list.filters = read(FILTERS);
    this.#shown = read(SHOWN);
    this.#restore(page.place);
    page.title("Jobs");
    render(shell(this.list.filters, { filter: this.#filter, edit: this.#edit }), root);
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

  /** What one finds again who comes back: where the list was scrolled to, how much was loaded, what was chosen. */
  get place() {
    const { jobs } = this.list;
    return { top: this.scroller.scrollTop, count: jobs.length, chosen: [...this.#chosen], cursor: this.#cursor };
  }

  #restore(place) {
    if (!place) return;
    this.#chosen = new Set(place.chosen);
    this.#cursor = place.cursor;
    this.list.least = place.count;
    this.#top = place.top;
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
    this.#columns = columnsOf({ ...list.filters, ...this.#shown });
    this.#drawHead();
    this.rows.update(list.jobs);
    this.#settle();
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

  /** Scroll to where one was, once. */
  #settle() {
    if (this.#top === null || this.list.jobs.length === 0 || this.list.isLoading) return;
    this.root.querySelector("table").hidden = false;
    this.scroller.scrollTop = this.#top;
    this.#top = null;
    this.rows.update();
  }

  #drawHead() {
    const { sort } = this.list.filters;
    const chosen = this.#columns.filter(({ name }) => name === "chosen").length;
    this.root.querySelector("table").style.minWidth = chosen ? `${LEAST_REM + chosen * CHOSEN_REM}rem` : "";
    const choose = html`<th scope="col" class="choose"><span class="visually-hidden">Compare</span></th>`;
    const drawn = heads(this.#columns, sort, (by) => this.#change({ sort: by }));
    render(
      html`<tr>
        ${choose}${drawn}
      </tr>`,
      this.root.querySelector("thead"),
    );
    render(
      viewPicker(this.#shown.view, (name) => this.#open(name)),
      this.root.querySelector("#view"),
    );
  }

  /** Show other rows or columns, and have the address say so. */
  #change(changed) {
    const { list } = this;
    const filters = { ...list.filters, ...changed };
    this.#shown = Object.fromEntries(SHOWN.map((name) => [name, changed[name] ?? this.#shown[name]]));
    for (const name of SHOWN) delete filters[name];
    this.page.replaceQuery({ ...filters, ...this.#shown });
    if (FILTERS.every((name) => filters[name] === list.filters[name])) return this.#schedule();
    this.scroller.scrollTop = 0;
    return list.filter(filters);
  }

  #edit = () => {
    const change = (changed) => this.#change(changed);
    editColumns({ ...this.list.filters, ...this.#shown }, { change, save: (name) => this.#save(name) });
  };

  #save(name) {
    const { view: _, ...state } = { ...this.list.filters, ...this.#shown };
    keep("views", { ...views(), [name]: state });
    this.#change({ view: name });
  }

  /** Show a saved view; none: all jobs in their own order. */
  #open(name) {
    const nothing = Object.fromEntries([...FILTERS, ...SHOWN].map((one) => [one, ""]));
    const state = { ...nothing, ...views()[name], view: name };
    const { elements } = this.root.querySelector("form");
    for (const field of FIELDS) elements[field].value = state[field];
    this.#change(state);
  }

  #row(job, row, index) {
    row.setAttribute("aria-rowindex", index + 2);
    row.classList.toggle("cursor", job.job_id === this.#cursor);
    row.onclick = (event) => this.#click(event, row);
    return cells(job, this.#columns, {
      isChosen: this.#chosen.has(job.job_id),
      choose: (isChosen) => this.#choose(job.job_id, isChosen),
      focus: () => this.#focus(job.job_id),
    });
  }

  /** The whole row leads to its job, but for what does something else, and for who marks a text. */
  #click(event, row) {
    if (event.target.closest("a, input, button") || getSelection().toString()) return;
    const link = row.querySelector("a");
    if (event.ctrlKey || event.metaKey) open(link.href, "_blank", "noopener");
    else link.click();
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
    if (FIELDS.some((name) => filters[name])) {
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
      this.#change(Object.fromEntries(FIELDS.map((name) => [name, form.elements[name].value.trim()])));
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
