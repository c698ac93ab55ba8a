/** What can be chosen for all charts of a panel at once. */

import { html } from "../../vendor/lit-html.js";
import { counted, formatCount } from "../lib/numbers.js";
import { BANDED } from "./metricsource.js";
import { STYLES } from "./palette.js";

const AXIS_NAMES = { step: "Step", time: "Time", index: "Number" };
const MOST_SMOOTHING = 0.99;

/**
 * @param {object} choice axis, isLog, smoothing, attempt, rank, search
 * @param {{found: number, all: number, attempts: number[], ranks: number[], change: (choice: object) => void}} options
 */
export function toolbar(choice, { isPattern, found, all, attempts, ranks, change }) {
  return html`
    <form class="chart-tools" role="search" aria-label="Charts" @submit=${(event) => event.preventDefault()}>
      ${searchTool(choice.search, change, isPattern)}
      <output>${found === all ? counted(all, "metric") : `${formatCount(found)} of ${counted(all, "metric")}`}</output>
      <span class="chart-space"></span>
      ${scaleTools(choice, change)} ${attempts.length > 1 ? pickAttempt(choice, attempts, change) : null}
      ${ranks.length > 1 ? pickRank(choice, ranks, change) : null}
    </form>
  `;
}

const pickAttempt = ({ attempt }, numbers, change) =>
  select("Attempt", attempt, [["", "newest"], ["all", "all"], ...numbered(numbers)], (picked) =>
    change({ attempt: picked }),
  );

const pickRank = ({ rank }, numbers, change) =>
  select("Rank", rank, [...together(numbers), ...numbered(numbers)], (picked) => change({ rank: picked }));

const SEARCH_HELP = "A regular expression for the name or for step/name, as ^train/ or loss|accuracy";

/** `isPattern`: what was typed is a regular expression; else it is looked for as it stands. */
export function searchTool(search, change, isPattern = true) {
  return html`<label class="chart-search">
    <span class="visually-hidden">Filter metrics</span>
    <input
      type="search"
      placeholder="Filter metrics"
      title=${isPattern ? SEARCH_HELP : "No regular expression: looked for as it stands"}
      class=${isPattern ? "" : "is-plain"}
      .value=${search}
      autocomplete="off"
      spellcheck="false"
      @input=${(event) => change({ search: event.target.value })} />
  </label>`;
}

/** Axis, scale and smoothing, which compared runs have as well. */
export function scaleTools(choice, change) {
  return html`
    ${select("By", choice.axis, Object.entries(AXIS_NAMES), (axis) => change({ axis }))}
    ${select(
      "Scale",
      choice.isLog ? "log" : "linear",
      [
        ["linear", "linear"],
        ["log", "log"],
      ],
      (scale) => change({ isLog: scale === "log" }),
    )}
    <label class="chart-smoothing">
      Smoothing
      <input
        type="range"
        min="0"
        max=${MOST_SMOOTHING}
        step="0.01"
        .value=${String(choice.smoothing)}
        title="Exponential moving average of the values drawn; the raw line stays"
        @input=${(event) => change({ smoothing: Number(event.target.value) })} />
      <output>${choice.smoothing.toFixed(2)}</output>
    </label>
  `;
}

export function select(label, value, options, change) {
  return html`<label class="chart-select"
    >${label}
    <select @change=${(event) => change(event.target.value)}>
      ${options.map(([key, text]) => html`<option value=${key} ?selected=${key === value}>${text}</option>`)}
    </select>
  </label>`;
}

function together(ranks) {
  return ranks.length < BANDED
    ? [["", "all"]]
    : [
        ["", "mean of all"],
        ["each", `each, the first ${STYLES}`],
      ];
}

function numbered(numbers) {
  return numbers.map((number) => [String(number), String(number)]);
}

export function pager(page, pages, turn) {
  return html`<nav class="chart-pages" aria-label="Pages of charts">
    <button type="button" class="chart-button" ?disabled=${page === 0} @click=${() => turn(page - 1)}>Previous</button>
    <span>page ${formatCount(page + 1)} of ${formatCount(pages)}</span>
    <button type="button" class="chart-button" ?disabled=${page === pages - 1} @click=${() => turn(page + 1)}>
      Next
    </button>
  </nav>`;
}
