/** What stands around the rows of the list: the form of filters, the table, places for what is told. */

import { html } from "../../vendor/lit-html.js";
import { STATUS } from "../lib/icons.js";

const FILTER_HELP =
  "Labels, params, metrics (last, .min, .max), status, duration, owner and more, by =, <, >, LIKE, IN, AND, OR, NOT: " +
  "as `synapse-stream jobs --filter`";

/** `filters` are the values of the form; `filter` follows its input, `edit` opens columns and views. */
export function shell(filters, { filter, edit }) {
  const option = ([value, { word }]) =>
    html`<option value=${value} ?selected=${value === filters.status}>${word}</option>`;
  const statuses = Object.entries(STATUS).filter(([name]) => name !== "skipped");
  return html`<div class="jobs">
    <form
      class="jobs-bar"
      role="search"
      aria-label="Jobs"
      @submit=${(event) => event.preventDefault()}
      @input=${filter}>
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
      <span id="view"></span>
      <button type="button" @click=${edit}>Columns</button>
      <span id="compare"></span>
    </form>
    <div class="jobs-scroll" tabindex="-1">
      <div id="job-fresh" class="jobs-fresh" aria-live="polite"></div>
      <table class="jobs-table" hidden>
        <caption class="visually-hidden">
          Jobs
        </caption>
        <thead></thead>
        <tbody></tbody>
      </table>
      <div id="job-note" aria-live="polite"></div>
    </div>
  </div>`;
}
