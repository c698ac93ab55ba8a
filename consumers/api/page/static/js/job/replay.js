/** A slider over a run's time: the page shows everything as it was there, step by step or as a film. */

import { html, render, svg } from "../../vendor/lit-html.js";
import { formatElapsed } from "../charts/axes.js";
import { dateTime, oneLine } from "../lib/format.js";
import { isAfter } from "../lib/positions.js";
import { getJson, jobPath, query } from "../server/api.js";
import { isOver } from "../server/health.js";

const SPEEDS = [
  ["1", "1×"],
  ["10", "10×"],
  ["60", "60×"],
  ["fit", "whole run in 30 s"],
];
const WHOLE_RUN_SECONDS = 30;
const PAUSE_MS = 80; // between two moments, so that a drag is no flood of requests
const STEPS = 1_000;
const MOST_MARKS = 300;
const ASK_AGAIN_MS = 2_000;
const WARNINGS = ["warning", "danger", "error", "critical"];

export class Replay {
  #root;
  #jobId;
  #onMove;
  #time = null; // µs; null: live
  #isPlaying = false;
  #speed = "fit";
  #warnings = [];
  #warningCount = 0;
  #problem = "";
  #isAsking = false;
  #wanted = null;
  #frame = 0;
  #timer = 0;
  #end = new AbortController();
  #job;
  #from;
  #to;

  /**
   * @param {HTMLElement} root
   * @param {{jobId: string, job: object,
   *          onMove: (position: string | null, timeUs: number | null, job: object | null) => void}} options
   *
   * `onMove` gets the position that the moment has, the moment, and the run state there; all null when live.
   */
  constructor(root, { jobId, job, onMove }) {
    this.#root = root;
    this.#jobId = jobId;
    this.#onMove = onMove;
    this.#root.addEventListener("keydown", (event) => this.#key(event), { signal: this.#end.signal });
    this.update(job);
  }

  /** Take the run state: the run may have become longer, or have another attempt. */
  update(job) {
    this.#job = job;
    this.#from = Math.min(...job.attempts.map(({ first_time: time }) => time));
    this.#to = Math.max(this.#from + 1, ...job.attempts.map(({ last_time: time }) => time));
    const warnings = job.attempts
      .flatMap(({ levels }) => WARNINGS.map((level) => levels[level] ?? 0))
      .reduce((a, b) => a + b, 0);
    if (warnings !== this.#warningCount) this.#findWarnings(job.position);
    this.#warningCount = warnings;
    this.#render();
  }

  /** Show another moment, in µs; null: live. */
  moveTo(time) {
    this.#time = time === null ? null : Math.min(Math.max(Math.round(time), this.#from), this.#to);
    if (this.#time === null) this.#goLive();
    else this.#ask(this.#time);
    this.#render();
  }

  destroy() {
    this.#end.abort();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    render(null, this.#root);
  }

  #goLive() {
    this.#isPlaying = false;
    this.#wanted = null;
    this.#problem = "";
    this.#onMove(null, null, null);
  }

  /** Ask for the newest moment only; those that the slider passed in the meantime are skipped. */
  async #ask(time) {
    this.#wanted = time;
    if (this.#isAsking) return;
    this.#isAsking = true;
    while (this.#wanted !== null) {
      const asked = this.#wanted;
      await this.#showMoment(asked);
      if (this.#wanted === asked) this.#wanted = null;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    this.#isAsking = false;
  }

  async #showMoment(time) {
    try {
      const job = await getJson(jobPath(this.#jobId) + query({ at: String(time) }), { signal: this.#end.signal });
      this.#problem = "";
      if (this.#time !== null) this.#onMove(job.position, time, job);
    } catch (problem) {
      if (this.#end.signal.aborted) return;
      this.#problem = problem.message;
      this.#isPlaying = false;
      this.#render();
    }
  }

  #play() {
    this.#isPlaying = !this.#isPlaying;
    if (this.#isPlaying) {
      if (this.#time === null || this.#time >= this.#to) this.moveTo(this.#from);
      this.#step(performance.now());
    }
    this.#render();
  }

  #step(before) {
    this.#frame = requestAnimationFrame((now) => {
      if (!this.#isPlaying || this.#time === null) return;
      const passed = Math.max(0, now - before) * 1e3 * this.#factor();
      const isOver = this.#time + passed >= this.#to;
      if (isOver) this.#isPlaying = false;
      this.moveTo(this.#time + passed);
      if (!isOver) this.#step(now);
    });
  }

  #factor() {
    return this.#speed === "fit" ? (this.#to - this.#from) / (WHOLE_RUN_SECONDS * 1e6) : Number(this.#speed);
  }

  #key(event) {
    if (event.key !== " " || event.target.matches("button, select")) return;
    event.preventDefault();
    this.#play();
  }

  /** Mark the warnings up to `until` at least: the API's view may be behind the stream. */
  async #findWarnings(until) {
    clearTimeout(this.#timer);
    const path = jobPath(this.#jobId, "/messages") + query({ level: WARNINGS, limit: MOST_MARKS });
    let held = null;
    try {
      const { messages, position } = await getJson(path, { signal: this.#end.signal });
      this.#warnings = messages.map(({ time, level, content }) => mark(time, level, content));
      held = position;
      this.#render();
    } catch {
      if (this.#end.signal.aborted) return; // else the slider serves without them so long
    }
    if (!isAfter(until, held)) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#findWarnings(until), ASK_AGAIN_MS);
  }

  #marks() {
    const ends = this.#job.attempts.flatMap((attempt) => [
      mark(attempt.started, "start", `attempt ${attempt.number} starts`),
      attempt.ended === null
        ? null
        : mark(attempt.ended, attempt.status, `attempt ${attempt.number}: ${attempt.status}`),
      ...attempt.lost.map(({ time, rank }) => mark(time, "lost", `rank ${rank ?? "?"} was lost`)),
    ]);
    return [...this.#warnings, ...ends.filter(Boolean)];
  }

  #render() {
    const isLive = this.#time === null;
    const time = isLive ? this.#to : this.#time;
    const elapsed = formatElapsed(tenths(time - this.#from));
    const newest = this.#job.attempts.every(isOver) ? "end" : "live";
    const text = isLive ? newest : `${elapsed} of ${formatElapsed(tenths(this.#to - this.#from))}`;
    render(
      html`<section class="replay-bar" aria-label="Replay">
        <button
          type="button"
          class="chart-button"
          @click=${() => this.#play()}
          aria-label=${this.#isPlaying ? "Pause" : "Play"}>
          ${this.#isPlaying ? "❚❚" : "▶"}
        </button>
        <div class="replay-track">
          <input
            type="range"
            min="0"
            max=${STEPS}
            step="1"
            aria-label="Moment of the run"
            aria-valuetext=${isLive ? newest : `${elapsed}, ${dateTime(time)}`}
            .value=${String(Math.round((STEPS * (time - this.#from)) / (this.#to - this.#from)))}
            @input=${(event) => this.#drag(Number(event.target.value))} />
          <svg class="replay-marks" viewBox="0 0 ${STEPS} 10" preserveAspectRatio="none" aria-hidden="true">
            ${this.#marks().map((each) => this.#drawMark(each))}
          </svg>
        </div>
        <output class="replay-time" title=${dateTime(time)}>${text}</output>
        <label class="chart-select"
          >Speed
          <select @change=${(event) => (this.#speed = event.target.value)}>
            ${SPEEDS.map(([key, name]) => html`<option value=${key} ?selected=${key === this.#speed}>${name}</option>`)}
          </select>
        </label>
        <button type="button" class="chart-button" aria-pressed=${String(isLive)} @click=${() => this.moveTo(null)}>
          ${newest === "live" ? "Live" : "End"}
        </button>
        ${this.#problem ? html`<span role="alert">${this.#problem}</span>` : null}
      </section>`,
      this.#root,
    );
  }

  #drawMark({ time, kind, title }) {
    const x = (STEPS * (time - this.#from)) / (this.#to - this.#from);
    return svg`<line class="replay-mark mark-${kind}" x1=${x} x2=${x} y1="0" y2="10"><title>${title}</title></line>`;
  }

  #drag(step) {
    this.#isPlaying = false;
    this.moveTo(this.#from + (step / STEPS) * (this.#to - this.#from));
  }
}

const tenths = (us) => Math.round(us / 1e5) / 10;

function mark(time, kind, title) {
  return { time, kind, title: oneLine(title, 120) };
}
