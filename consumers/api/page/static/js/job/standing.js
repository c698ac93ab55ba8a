/** What people say of a run: that it is held, who has signed it off; and signing it off oneself. */

import { html, nothing, render } from "../../vendor/lit-html.js";
import { dateTime, oneLine } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { getJson, jobPath, request } from "../server/api.js";

const HEADERS = { "Content-Type": "application/json" };

export class Standing {
  #root;
  #jobId;
  #found = { holds: [], sign_offs: [], can_sign: false };
  #isOver = null;
  #end = new AbortController();

  constructor(root, jobId) {
    this.#root = root;
    this.#jobId = jobId;
  }

  /** The run is known, and may be signed off when it is over. */
  update(isOver) {
    if (isOver === this.#isOver) return;
    const isFirst = this.#isOver === null;
    this.#isOver = isOver;
    if (isFirst) this.#load();
    else this.#draw();
  }

  destroy() {
    this.#end.abort();
    render(null, this.#root);
  }

  async #load() {
    const { signal } = this.#end;
    const found = await getJson(jobPath(this.#jobId, "/standing"), { signal }).catch(() => null);
    if (found === null || signal.aborted) return; // the page says itself what cannot be had
    this.#found = found;
    this.#draw();
  }

  #draw() {
    const { holds, sign_offs: signed, can_sign: maySign } = this.#found;
    const said = [...holds.map(held), ...signed.filter(({ is_done: isDone }) => isDone).map(signedOff)];
    const button = html`<button type="button" @click=${() => this.#ask()}>Sign off…</button>`;
    render(html`${said}${maySign && this.#isOver ? button : nothing}`, this.#root);
  }

  #ask() {
    const dialog = document.body.appendChild(document.createElement("dialog"));
    dialog.setAttribute("aria-labelledby", "sign-off-title");
    dialog.addEventListener("close", () => dialog.remove());
    const sign = async (event) => {
      event.preventDefault();
      const body = JSON.stringify(Object.fromEntries(new FormData(event.target)));
      try {
        await request(jobPath(this.#jobId, "/sign-off"), { method: "POST", headers: HEADERS, body });
        dialog.close();
        await this.#load();
      } catch (problem) {
        render(form(sign, problem), dialog);
      }
    };
    render(form(sign, null), dialog);
    dialog.showModal();
  }
}

const held = ({ since, label, by, reason }) =>
  html`<p class="plain-warn wraps" role="note">
    ${icon("warn")}<bdi
      >Held since ${dateTime(since)}${label === null ? "" : ` by the label ${oneLine(label, 80)}`}: nothing is
      removed of it.${by === null ? "" : ` ${oneLine(`${by}: ${reason ?? ""}`, 300)}`}</bdi
    >
  </p>`;

const signedOff = ({ time, name, meaning }) =>
  html`<p class="wraps" role="note">
    <bdi>Signed off by ${oneLine(name, 80)} at ${dateTime(time)}: ${oneLine(meaning, 300)}</bdi>
  </p>`;

const form = (sign, problem) =>
  html`<form @submit=${sign}>
    <h2 id="sign-off-title">Sign off this run</h2>
    <p>All that is recorded of it is signed with the key of this deployment.</p>
    <label>Your name <input name="name" required maxlength="1000" autocomplete="name" /></label>
    <label>Meaning <input name="meaning" required maxlength="1000" placeholder="reviewed" /></label>
    ${problem ? html`<p class="alert" role="alert">${problem.message}</p>` : nothing}
    <div class="row-end">
      <button type="button" @click=${(event) => event.target.closest("dialog").close()}>Cancel</button>
      <button class="primary">Sign off</button>
    </div>
  </form>`;
