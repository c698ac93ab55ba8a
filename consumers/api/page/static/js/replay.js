/** A slider over a run's time: the page shows everything as it was there, step by step or as a film. */

import { html, render, svg } from "../vendor/lit-html.js";
import { getJson, jobPath, query } from "./api.js";
import { formatElapsed } from "./axes.js";
import { dateTime, oneLine } from "./format.js";
import { isOver } from "./health.js";
import { isAfter } from "./positions.js";

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
  /**
   * @param {HTMLElement} root
   * @param {{jobId: string, job: object,
   *          onMove: (position: string | null, timeUs: number | null, job: object | null) => void}} options
   *
   * `onMove` gets the position that the moment has, the moment, and the run state there; all null when live.
   */
  constructor(root, { jobId, job, onMove }) {
    this._root = root;
    this._jobId = jobId;
    this._onMove = onMove;
    this._time = null; // µs; null: live
    this._isPlaying = false;
    this._speed = "fit";
    this._warnings = [];
    this._warningCount = 0;
    this._problem = "";
    this._isAsking = false;
    this._wanted = null;
    this._frame = 0;
    this._timer = 0;
    this._end = new AbortController();
    this._root.addEventListener("keydown", (event) => this._key(event), { signal: this._end.signal });
    this.update(job);
  }

  /** Take the run state: the run may have become longer, or have another attempt. */
  update(job) {
    this._job = job;
    this._from = Math.min(...job.attempts.map(({ first_time: time }) => time));
    this._to = Math.max(this._from + 1, ...job.attempts.map(({ last_time: time }) => time));
    const warnings = job.attempts.flatMap(({ levels }) => WARNINGS.map((level) => levels[level] ?? 0)).reduce((a, b) => a + b, 0);
    if (warnings !== this._warningCount) this._findWarnings(job.position);
    this._warningCount = warnings;
    this._render();
  }

  /** Show another moment, in µs; null: live. */
  moveTo(time) {
    this._time = time === null ? null : Math.min(Math.max(Math.round(time), this._from), this._to);
    if (this._time === null) this._goLive();
    else this._ask(this._time);
    this._render();
  }

  destroy() {
    this._end.abort();
    cancelAnimationFrame(this._frame);
    clearTimeout(this._timer);
    render(null, this._root);
  }

  _goLive() {
    this._isPlaying = false;
    this._wanted = null;
    this._problem = "";
    this._onMove(null, null, null);
  }

  /** Ask for the newest moment only; those that the slider passed in the meantime are skipped. */
  async _ask(time) {
    this._wanted = time;
    if (this._isAsking) return;
    this._isAsking = true;
    while (this._wanted !== null) {
      const asked = this._wanted;
      await this._showMoment(asked);
      if (this._wanted === asked) this._wanted = null;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    this._isAsking = false;
  }

  async _showMoment(time) {
    try {
      const job = await getJson(jobPath(this._jobId) + query({ at: String(time) }), { signal: this._end.signal });
      this._problem = "";
      if (this._time !== null) this._onMove(job.position, time, job);
    } catch (problem) {
      if (this._end.signal.aborted) return;
      this._problem = problem.message;
      this._isPlaying = false;
      this._render();
    }
  }

  _play() {
    this._isPlaying = !this._isPlaying;
    if (this._isPlaying) {
      if (this._time === null || this._time >= this._to) this.moveTo(this._from);
      this._step(performance.now());
    }
    this._render();
  }

  _step(before) {
    this._frame = requestAnimationFrame((now) => {
      if (!this._isPlaying || this._time === null) return;
      const passed = Math.max(0, now - before) * 1e3 * this._factor();
      const isOver = this._time + passed >= this._to;
      if (isOver) this._isPlaying = false;
      this.moveTo(this._time + passed);
      if (!isOver) this._step(now);
    });
  }

  _factor() {
    return this._speed === "fit" ? (this._to - this._from) / (WHOLE_RUN_SECONDS * 1e6) : Number(this._speed);
  }

  _key(event) {
    if (event.key !== " " || event.target.matches("button, select")) return;
    event.preventDefault();
    this._play();
  }

  /** Mark the warnings up to `until` at least: the API's view may be behind the stream. */
  async _findWarnings(until) {
    clearTimeout(this._timer);
    const path = jobPath(this._jobId, "/messages") + query({ level: WARNINGS, limit: MOST_MARKS });
    let held = null;
    try {
      const { messages, position } = await getJson(path, { signal: this._end.signal });
      this._warnings = messages.map(({ time, level, content }) => mark(time, level, content));
      held = position;
      this._render();
    } catch {
      if (this._end.signal.aborted) return; // else the slider serves without them so long
    }
    if (!isAfter(until, held)) return;
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this._findWarnings(until), ASK_AGAIN_MS);
  }

  _marks() {
    const ends = this._job.attempts.flatMap((attempt) => [
      mark(attempt.started, "start", `attempt ${attempt.number} starts`),
      attempt.ended === null ? null : mark(attempt.ended, attempt.status, `attempt ${attempt.number}: ${attempt.status}`),
      ...attempt.lost.map(({ time, rank }) => mark(time, "lost", `rank ${rank ?? "?"} was lost`)),
    ]);
    return [...this._warnings, ...ends.filter(Boolean)];
  }

  _render() {
    const isLive = this._time === null;
    const time = isLive ? this._to : this._time;
    const elapsed = formatElapsed(tenths(time - this._from));
    const newest = this._job.attempts.every(isOver) ? "end" : "live";
    const text = isLive ? newest : `${elapsed} of ${formatElapsed(tenths(this._to - this._from))}`;
    render(
      html`<section class="replay-bar" aria-label="Replay">
        <button type="button" class="chart-button" @click=${() => this._play()} aria-label=${this._isPlaying ? "Pause" : "Play"}>
          ${this._isPlaying ? "❚❚" : "▶"}
        </button>
        <div class="replay-track">
          <input type="range" min="0" max=${STEPS} step="1" aria-label="Moment of the run" aria-valuetext=${isLive ? newest : `${elapsed}, ${dateTime(time)}`}
            .value=${String(Math.round((STEPS * (time - this._from)) / (this._to - this._from)))}
            @input=${(event) => this._drag(Number(event.target.value))} />
          <svg class="replay-marks" viewBox="0 0 ${STEPS} 10" preserveAspectRatio="none" aria-hidden="true">
            ${this._marks().map((each) => this._drawMark(each))}
          </svg>
        </div>
        <output class="replay-time" title=${dateTime(time)}>${text}</output>
        <label class="chart-select">Speed
          <select @change=${(event) => (this._speed = event.target.value)}>
            ${SPEEDS.map(([key, name]) => html`<option value=${key} ?selected=${key === this._speed}>${name}</option>`)}
          </select>
        </label>
        <button type="button" class="chart-button" aria-pressed=${String(isLive)} @click=${() => this.moveTo(null)}>${newest === "live" ? "Live" : "End"}</button>
        ${this._problem ? html`<span role="alert">${this._problem}</span>` : null}
      </section>`,
      this._root,
    );
  }

  _drawMark({ time, kind, title }) {
    const x = (STEPS * (time - this._from)) / (this._to - this._from);
    return svg`<line class="replay-mark mark-${kind}" x1=${x} x2=${x} y1="0" y2="10"><title>${title}</title></line>`;
  }

  _drag(step) {
    this._isPlaying = false;
    this.moveTo(this._from + (step / STEPS) * (this._to - this._from));
  }
}

const tenths = (us) => Math.round(us / 1e5) / 10;

function mark(time, kind, title) {
  return { time, kind, title: oneLine(title, 120) };
}
