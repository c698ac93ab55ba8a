/** `/trail`: what operators did that changes what is recorded or shown, the newest first. */

import { html, nothing, render } from "../../vendor/lit-html.js";
import { dateTime, oneLine } from "../lib/format.js";
import { getJson, query } from "../server/api.js";

const MOST = 500;
const LOOK = { done: "", failed: "tone-bad" };

export class TrailPage {
  #root;
  #end = new AbortController();

  constructor(root, _params, page) {
    this.#root = root;
    page.title("Trail");
    this.#load();
  }

  destroy() {
    this.#end.abort();
    render(null, this.#root);
  }

  async #load() {
    const { signal } = this.#end;
    try {
      const { acts } = await getJson(`api/trail${query({ limit: MOST })}`, { signal });
      render(shown(acts.reverse()), this.#root);
    } catch (problem) {
      if (!signal.aborted) render(html`<p class="empty" role="alert">${problem.message}</p>`, this.#root);
    }
  }
}

const shown = (acts) =>
  html`<section class="panel trail" aria-labelledby="trail-title">
    <h1 id="trail-title">Trail</h1>
    <p>
      What was done that changes what is recorded or shown${acts.length < MOST ? "" : `: the newest ${MOST}`}.
      The command <code>synapse-stream trail</code> has all of it, <code>verify .trail</code> proves it.
    </p>
    ${acts.length ? table(acts) : html`<p>Nothing was done.</p>`}
  </section>`;

const table = (acts) =>
  html`<div role="region" tabindex="0" aria-label="Acts">
    <table>
      <thead>
        <tr>
          ${["When", "Who", "Act", "Jobs", "Outcome", "Why", "From"].map((name) => html`<th scope="col">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${acts.map(row)}
      </tbody>
    </table>
  </div>`;

const row = (act) =>
  html`<tr>
    <td>${dateTime(act.time)}</td>
    <td><bdi>${oneLine(act.host === null ? act.by : `${act.by}@${act.host}`, 80)}</bdi></td>
    <td>${oneLine(act.act, 40)}</td>
    <td><bdi>${oneLine(act.jobs.join(", "), 200)}</bdi></td>
    <td class=${LOOK[act.outcome] ?? "tone-warn"} title=${act.error ?? nothing}>${act.outcome ?? "not known"}</td>
    <td><bdi>${oneLine(act.reason ?? "", 200)}</bdi></td>
    <td><bdi>${oneLine(act.origin ?? "", 200)}</bdi></td>
  </tr>`;
