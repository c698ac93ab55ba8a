/** The steps of an attempt: a bar each, with rate and ETA; of all ranks together or of one. */

import { html, nothing, render } from "../../vendor/lit-html.js";
import { cut, duration, oneLine, percent, rate } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { formatCount, formatValue } from "../lib/numbers.js";
import { Rows } from "../lib/rows.js";
import { isEnded, remaining } from "../server/health.js";

export class Steps {
  #rank = "";
  #attempt = null;
  #now = 0;

  constructor(root) {
    this.root = root;
    render(
      html`<div class="panel-head">
          <h2 id="steps-title">Steps</h2>
          <div class="steps-tools"></div>
        </div>
        <div class="steps-scroll" tabindex="0" role="region" aria-labelledby="steps-title">
          <table class="steps-table">
            <caption class="visually-hidden">
              Progress of each step
            </caption>
            <thead>
              <tr>
                <th scope="col" class="s-name">Step</th>
                <th scope="col" class="s-bar">Progress</th>
                <th scope="col" class="s-done number">Done</th>
                <th scope="col" class="s-rate number">Rate</th>
                <th scope="col" class="s-eta number">Left</th>
              </tr>
            </thead>
            <tbody></tbody>
          </table>
        </div>`,
      root,
    );
    this.rows = new Rows({
      scroller: root.querySelector(".steps-scroll"),
      body: root.querySelector("tbody"),
      tag: "tr",
      keyOf: ({ name }) => name,
      draw: (step, row, index) => this.#row(step, row, index),
    });
  }

  destroy() {
    this.rows.destroy();
  }

  /** Show an attempt; `now` is the plugin's clock, in microseconds. */
  update(attempt, now) {
    this.#attempt = attempt;
    this.#now = now;
    const rank = attempt.ranks.find((one) => String(one.rank) === this.#rank);
    const { steps } = rank ?? attempt;
    this.root.hidden = steps.length === 0;
    render(this.#tools(steps, rank), this.root.querySelector(".steps-tools"));
    this.root.querySelector("table").setAttribute("aria-rowcount", steps.length + 1);
    this.rows.update(steps);
  }

  #tools(steps, shown) {
    const { ranks } = this.#attempt;
    const pick = (event) => {
      this.#rank = event.target.value;
      this.update(this.#attempt, this.#now);
    };
    const done = steps.filter((step) => step.percent >= 100).length;
    return html`<span class="note">${formatCount(done)} of ${formatCount(steps.length)} done</span> ${
        ranks.length > 1
          ? html`<select aria-label="Rank" @change=${pick}>
              <option value="">All ranks together</option>
              ${ranks.map(
                ({ rank }) => html`<option value=${rank} ?selected=${rank === shown?.rank}>Rank ${rank}</option>`,
              )}
            </select>`
          : nothing
      }`;
  }

  #row(step, row, index) {
    row.setAttribute("aria-rowindex", index + 2);
    const name = step.name === null ? "(no name)" : oneLine(step.name, 200);
    const isOver = isEnded(this.#attempt.status);
    const isDone = step.percent >= 100;
    const hasStopped = isOver && !isDone && step.current !== null && this.#attempt.status === "failed";
    const look = step.is_failed || hasStopped ? "bad" : isDone ? "good" : isOver ? "idle" : "";
    return html`<td class="s-name" title=${cut(step.name ?? "", 300)}>
        <bdi>${name}</bdi>${step.is_failed ? failure(step) : nothing}
      </td>
      <td class="s-bar">
        <div class="bar">
          <progress class=${look} max="100" .value=${step.percent} aria-label="Progress of ${name}"></progress
          ><span class="number">${percent(step.percent)}</span>
        </div>
      </td>
      <td class="s-done number">${amount(step)}</td>
      <td class="s-rate number">${step.rate === null ? "" : rate(step.rate)}</td>
      <td class="s-eta number">${this.#left(step, isDone, isOver)}</td>`;
  }

  #left(step, isDone, isOver) {
    if (isDone) return html`<span class="plain-good">${icon("check")}<span>done</span></span>`;
    if (step.is_failed || (isOver && step.current !== null && this.#attempt.status === "failed"))
      return html`<span class="plain-bad">${icon("cross")}<span>failed</span></span>`;
    if (step.current === null && !isOver) return html`<span class="note">to come</span>`;
    if (step.eta_seconds === null || isOver) return nothing;
    return duration(remaining(step.eta_seconds, step.updated, this.#now));
  }
}

function failure({ error }) {
  return html`<span class="plain-bad s-error"
    >${icon("cross")}<bdi>${oneLine(error?.split("\n", 1)[0] || "failed", 200)}</bdi></span
  >`;
}

function amount({ current, total }) {
  return current === null ? "" : `${formatValue(current)} / ${formatValue(total)}`;
}
