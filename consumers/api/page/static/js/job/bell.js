/** A notification of the browser when a run ends, for who asked for it; the page has to be open, in whatever tab. */

import { html, nothing } from "../../vendor/lit-html.js";
import { duration, oneLine } from "../lib/format.js";
import { icon, STATUS } from "../lib/icons.js";
import { keep, kept } from "../lib/kept.js";
import { isOver } from "../server/health.js";

const MOST_RUNS = 100;

export class Bell {
  #jobId;
  #onChange;
  #isOn;
  #running = null; // number of the attempt that was seen to run

  constructor(jobId, onChange) {
    this.#jobId = jobId;
    this.#onChange = onChange;
    this.#isOn = "Notification" in globalThis && Notification.permission === "granted" && list().includes(jobId);
  }

  /** Take the newest attempt of the run, and tell of its end. */
  take(attempt) {
    if (!isOver(attempt)) this.#running = attempt.number;
    else if (this.#running === attempt.number) {
      this.#running = null;
      if (this.#isOn) this.#ring(attempt);
    }
  }

  draw(attempt) {
    if (!("Notification" in globalThis) || isOver(attempt)) return nothing;
    return html`<button type="button" class="quiet end" aria-pressed=${this.#isOn} @click=${() => this.#toggle()}>
      ${icon("bell")} ${Notification.permission === "denied" ? "Notifications are blocked" : "Notify me"}
    </button>`;
  }

  async #toggle() {
    this.#isOn = !this.#isOn && (await Notification.requestPermission()) === "granted";
    const others = list().filter((id) => id !== this.#jobId);
    keep("notified runs", this.#isOn ? [...others.slice(1 - MOST_RUNS), this.#jobId] : others);
    this.#onChange();
  }

  #ring({ status, error, duration_seconds: seconds }) {
    const body = error ? oneLine(error.split("\n", 1)[0], 200) : `took ${duration(seconds)}`;
    const shown = new Notification(`${STATUS[status].word}: ${this.#jobId}`, { body, tag: this.#jobId });
    shown.onclick = () => focus();
  }
}

const list = () => kept("notified runs", []);
