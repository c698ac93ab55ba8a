/** Files and checkpoints that a run named in what it logged: what each is, when and where; for developers only. */

import { html, nothing } from "../../vendor/lit-html.js";
import { clock, cut, exactTime, oneLine } from "../lib/format.js";
import { textOf } from "../lib/free.js";
import { isAfter } from "../lib/positions.js";
import { getJson, jobPath, query } from "../server/api.js";

const MOST_READ = 1_000;
const MOST_SHOWN = 200;

export class Files {
  #jobId;
  #onChange;
  #found = []; // the newest last
  #abort = new AbortController();

  constructor(jobId, onChange) {
    this.#jobId = jobId;
    this.#onChange = onChange;
  }

  destroy() {
    this.#abort.abort();
  }

  /** Read the newest log entries; a viewer may not, and sees no panel. */
  async load() {
    const { signal } = this.#abort;
    const path = jobPath(this.#jobId, `/messages${query({ kind: "log", limit: MOST_READ })}`);
    const answer = await getJson(path, { signal }).catch(() => null);
    if (answer === null) return;
    const newest = answer.messages.at(-1)?.position ?? null;
    const since = this.#found.filter(({ position }) => isAfter(position, newest));
    this.#found = [...answer.messages.filter(({ file }) => (file ?? null) !== null), ...since];
    this.#onChange();
  }

  /** Take an event of the live stream. */
  onEvent({ position, rank, event }) {
    if (event.type !== "log" || (event.file ?? null) === null) return;
    const { time, step = null, file, data = null } = event;
    this.#found.push({ position, time, step, rank, content: event.event, file, data });
    this.#onChange();
  }

  /** Draw the files up to the moment that is shown, `until`; null: all. */
  draw(until) {
    const found = this.#found.filter(({ position }) => until === null || !isAfter(position, until));
    if (!found.length) return nothing;
    return html`<div class="scroll-x" tabindex="0" role="region" aria-label="Files">
      <table class="facts-table">
        <caption class="visually-hidden">
          Files, the newest first
        </caption>
        <thead>
          <tr>
            ${["File", "What", "Step", "Data", "Time"].map((name) => html`<th scope="col">${name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${found.slice(-MOST_SHOWN).reverse().map(row)}
        </tbody>
      </table>
    </div>`;
  }
}

function row({ time, step, content, file, data }) {
  return html`<tr>
    <th scope="row" title=${cut(file, 1000)}><bdi class="file-path">${oneLine(file, 200)}</bdi></th>
    <td>${oneLine(content, 80)}</td>
    <td>${step === null ? "" : oneLine(step, 60)}</td>
    <td>${hasData(data) ? oneLine(textOf(data, { line: true }), 120) : ""}</td>
    <td title=${exactTime(time)}>${clock(time)}</td>
  </tr>`;
}

const hasData = (data) => data !== null && (typeof data !== "object" || Object.keys(data).length > 0);
