/** One message whole: what is known of it, its data, a link to it, and on demand what stands around it. */

import { html, nothing } from "../../vendor/lit-html.js";
import { coloured } from "../lib/ansi.js";
import { copyText } from "../lib/copy.js";
import { clock, cut, exactTime, oneLine, visible } from "../lib/format.js";
import { textOf } from "../lib/free.js";
import { icon } from "../lib/icons.js";
import { getJson, jobPath, query } from "../server/api.js";

const LIMIT = 256 * 1024;
const AROUND = 20;

export class Detail {
  #jobId;
  #onChange;
  #item = null;
  #around = null; // messages before and behind it; null: not asked for
  #isSettled = false;
  #said = "";
  #abort = new AbortController();

  /** `onChange()` follows every change of what is shown. */
  constructor(jobId, onChange) {
    this.#jobId = jobId;
    this.#onChange = onChange;
  }

  get item() {
    return this.#item;
  }

  destroy() {
    this.#abort.abort();
  }

  /** Show a message; null: none. */
  show(item) {
    if (item?.position !== this.#item?.position) [this.#around, this.#said] = [null, ""];
    this.#item = item;
    this.#onChange();
  }

  /** Show the message at a position, with what stands around it; `dev`: dev events, too. */
  async showAt(position, dev) {
    const answer = await this.#ask({ until: position, limit: 1, dev });
    const item = answer?.messages.find((one) => one.position === position);
    if (!item || this.#item !== null) return;
    this.show(item);
    await this.#askAround(dev);
  }

  /** Bring the message into sight among those around it, once they are drawn into `root`. */
  settle(root) {
    const list = root.querySelector(".detail-context");
    if (list === null || this.#isSettled) return;
    const [line, middle] = [list.querySelector(".is-it"), list.clientHeight / 2];
    list.scrollTop = line.offsetTop - list.offsetTop - middle;
    this.#isSettled = true;
  }

  /** Draw it, with a way to close it. */
  draw({ dev }) {
    const item = this.#item;
    if (item === null) return nothing;
    const link = () => this.#copy(location.href);
    return html`<section aria-label="Message">
      <div class="detail-head">
        <dl>
          ${factsOf(item).map(
            ([name, value]) =>
              html`<div>
                <dt>${name}</dt>
                <dd><bdi>${oneLine(value, 1000)}</bdi></dd>
              </div>`,
          )}
        </dl>
        <button type="button" class="quiet" aria-label="Close message" @click=${() => this.show(null)}>
          ${icon("cross")}
        </button>
      </div>
      <pre class="detail-text" dir="auto" tabindex="0">${coloured(cut(item.content, LIMIT))}</pre>
      ${hasData(item) ? free("Data", item.data) : nothing}
      ${item.params && Object.keys(item.params).length ? free("Parameters", item.params) : nothing}
      <p class="detail-tools">
        <button type="button" @click=${link}>Copy link</button>
        <button type="button" @click=${() => this.#copy(item.content)}>Copy text</button>
        ${
          this.#around === null
            ? html`<button type="button" @click=${() => this.#askAround(dev)}>Show ${AROUND} lines around it</button>`
            : nothing
        }
        <span role="status">${this.#said}</span>
      </p>
      ${this.#around === null ? nothing : this.#context(item)}
    </section>`;
  }

  #context(item) {
    return html`<ol class="detail-context" tabindex="0" aria-label="Messages around it">
      ${this.#around.map(
        ({ position, time, level, content }) =>
          html`<li class=${position === item.position ? "is-it" : ""} aria-current=${position === item.position}>
            <span class="m-time">${clock(time)}</span> <span class="m-level">${level}</span>
            <bdi dir="auto">${coloured(cut(content, 500), { line: true })}</bdi>
          </li>`,
      )}
    </ol>`;
  }

  async #askAround(dev) {
    const item = this.#item;
    const { position } = item;
    const [before, behind] = await Promise.all([
      this.#ask({ before: position, limit: AROUND, dev }),
      this.#ask({ after: position, limit: AROUND, dev }),
    ]);
    if (before === null || behind === null || this.#item?.position !== position) return;
    this.#around = [...before.messages, item, ...behind.messages];
    this.#isSettled = false;
    this.#onChange();
  }

  async #ask(range) {
    const { signal } = this.#abort;
    try {
      return await getJson(jobPath(this.#jobId, `/messages${query(range)}`), { signal });
    } catch (problem) {
      this.#said = signal.aborted ? "" : problem.message;
      this.#onChange();
      return null;
    }
  }

  async #copy(text) {
    this.#said = await copyText(text).then(
      () => "Copied",
      (problem) => problem.message,
    );
    this.#onChange();
  }
}

function factsOf(item) {
  return [
    ["time", exactTime(item.time)],
    ["step", item.step],
    ["rank", item.rank],
    ["attempt", item.attempt],
    ["key", item.key],
    ["file", item.file],
    ["position", item.position],
  ].filter(([, value]) => value !== null);
}

const free = (name, value) =>
  html`<pre class="detail-text" tabindex="0" aria-label=${name}>${visible(textOf(value))}</pre>`;

export const hasData = ({ data }) => data !== null && data !== undefined;
