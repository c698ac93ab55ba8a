/** `/job?id=`: one job, live or as it was at a position. */

import { html, nothing, render } from "../../vendor/lit-html.js";
import { Charts } from "../charts/panel.js";
import { Feed } from "../feed/feed.js";
import { clock, percent } from "../lib/format.js";
import { icon, STATUS } from "../lib/icons.js";
import { comparePositions } from "../lib/positions.js";
import { getJson, jobPath, live, query } from "../server/api.js";
import { isEnded, isOver, pluginNow, secondsSince } from "../server/health.js";
import { Bell } from "./bell.js";
import { Downloads } from "./downloads.js";
import { facts } from "./facts.js";
import { failure } from "./failure.js";
import { Files } from "./files.js";
import { Replay } from "./replay.js";
import { Standing } from "./standing.js";
import { Steps } from "./steps.js";
import { actions, summary } from "./summary.js";
import { Timeline } from "./timeline.js";

const REST_SECONDS = 20; // late events of other processes come until then
const ASK_MS = 30_000;

export class JobPage {
  #job = null; // newest state
  #past = null; // {job, time} of the moment that replay shows
  #number = null; // attempt that was picked; null: the latest
  #frame = null;
  #connection = { state: "connecting", problem: null };
  #abort = new AbortController();
  #replay = null;
  #after = null; // where the stream of an ended run stood
  #asked = 0;

  constructor(root, params, page) {
    const jobId = params.get("id") ?? "";
    Object.assign(this, { root, jobId, page });
    page.title(jobId);
    render(shell(), root);
    const part = (name) => root.querySelector(`#${name}`);
    this.steps = new Steps(part("steps"));
    this.feed = new Feed(part("feed"), jobId, {
      shownAt: params.get("m"),
      onSelect: (position) => page.replaceQuery({ m: position }),
    });
    this.timeline = new Timeline(part("timeline"));
    this.files = new Files(jobId, () => this.#schedule());
    this.standing = new Standing(part("standing"), jobId);
    this.charts = new Charts(part("charts"), {
      jobId,
      params,
      onChoice: (parameters) => page.replaceQuery(parameters),
    });
    this.bell = new Bell(jobId, () => this.#schedule());
    this.downloads = new Downloads(jobId, () => this.#schedule());
    this.stream = this.#follow(null);
    this.#readState(params.get("at"));
    this.charts.load();
    this.files.load();
    this.ticking = setInterval(() => {
      this.#settle();
      this.#schedule();
    }, 1000);
    addEventListener("keydown", this.#keys);
  }

  destroy() {
    this.#abort.abort();
    clearInterval(this.ticking);
    cancelAnimationFrame(this.#frame);
    removeEventListener("keydown", this.#keys);
    for (const part of [
      this.stream,
      this.steps,
      this.timeline,
      this.feed,
      this.charts,
      this.files,
      this.downloads,
      this.standing,
      this.#replay,
    ]) {
      if (part === this.stream) part?.close();
      else part?.destroy();
    }
  }

  #follow(after) {
    return live(this.jobId, {
      after,
      onSnapshot: (job, position) => {
        this.#take(job);
        this.feed.model.startAt(position);
        this.charts.startAt(position);
      },
      onEvent: (recorded) => {
        this.feed.model.add(recorded);
        this.charts.onEvent(recorded);
        this.files.onEvent(recorded);
      },
      onState: (job) => this.#take(job),
      onCoalesced: (gap) => this.charts.onCoalesced(gap),
      onReset: () => this.#restart(),
      onConnection: (state, problem) => {
        this.#show(state, problem);
        this.#schedule();
      },
    });
  }

  #show(state, problem) {
    this.#connection = { state, problem };
    this.page.connection(this.#said(), problem);
  }

  /** How the connection is called: a run that is over is not live, though late events of it are waited for. */
  #said() {
    const { state } = this.#connection;
    if (state !== "live" && state !== "connecting") return state;
    if (this.#job === null) return "connecting";
    return isOver(this.#latest()) ? "ended" : state;
  }

  #latest() {
    return this.#job.attempts.find(({ number }) => number === this.#job.latest);
  }

  /** A run that has ended needs no stream any more; whether it has begun anew is asked now and then. */
  #settle() {
    if (this.#job === null) return;
    const isAtRest = isEnded(this.#job.status) && secondsSince(this.#latest().last_sign_ms) > REST_SECONDS;
    if (this.stream !== null && isAtRest && this.#connection.state === "live") {
      this.#after = this.stream.position;
      this.stream.close();
      this.stream = null;
      this.#show("ended", null);
      this.#asked = performance.now();
    } else if (this.stream === null && !document.hidden && performance.now() - this.#asked > ASK_MS) this.#askAgain();
  }

  async #askAgain() {
    this.#asked = performance.now();
    const { signal } = this.#abort;
    const job = await getJson(jobPath(this.jobId), { signal }).catch((problem) => {
      if (!signal.aborted) this.#show("reconnecting", problem);
      return null;
    });
    if (job === null || signal.aborted || this.stream !== null) return;
    this.#show("ended", null);
    if (comparePositions(job.position, this.#job.position) > 0) this.stream = this.#follow(this.#after);
  }

  /** The REST answer shows something even while the stream is away. */
  async #readState(at) {
    const { signal } = this.#abort;
    try {
      this.#take(await getJson(jobPath(this.jobId), { signal }));
      if (at !== null) {
        const past = await getJson(jobPath(this.jobId, query({ at })), { signal });
        this.#replay.moveTo(past.attempts[0].last_time);
      }
    } catch (problem) {
      if (signal.aborted) return;
      this.problem = problem;
      this.#schedule();
    }
  }

  /** What was shown may not be in the stream any more. */
  #restart() {
    this.#job = null;
    this.feed.model.reload();
    this.charts.setUntil(null);
    this.charts.load();
  }

  #take(job) {
    if (this.#job !== null && comparePositions(job.position, this.#job.position) < 0) return;
    this.#job = job;
    this.problem = null;
    this.bell.take(this.#latest());
    this.#show(this.#connection.state, this.#connection.problem);
    this.charts.onState(job);
    if (this.#replay === null) {
      const onMove = (position, time, past) => this.#move(position, time, past);
      this.#replay = new Replay(this.root.querySelector("#replay"), { jobId: this.jobId, job, onMove });
    } else this.#replay.update(job);
    this.#schedule();
  }

  #move(position, time, past) {
    this.#past = position === null ? null : { job: past, time, position };
    this.page.replaceQuery({ at: position });
    this.feed.model.setUntil(position);
    this.charts.setUntil(position);
    this.#schedule();
  }

  #schedule() {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      this.#draw();
    });
  }

  #draw() {
    const put = (name, content) => render(content, this.root.querySelector(`#${name}`));
    put("notice", this.#notice());
    const job = this.#past?.job ?? this.#job;
    this.root.querySelector("#job").classList.toggle("loading", job === null);
    if (job === null) return;
    const attempt = job.attempts.find(({ number }) => number === (this.#number ?? job.latest)) ?? job.attempts[0];
    const isReplay = this.#past !== null;
    const now = isReplay ? this.#past.time : pluginNow(attempt, job.position);
    const pick = (number) => {
      this.#number = number === job.latest ? null : number;
      this.#schedule();
    };
    put(
      "summary",
      summary(job, attempt, {
        moment: this.#past?.time ?? null,
        now,
        pick,
        bell: isReplay ? nothing : this.bell.draw(this.#latest()),
      }),
    );
    put("error", failure(attempt));
    put("actions", actions(attempt, now));
    this.steps.update(attempt, now);
    this.timeline.update(attempt, now);
    this.standing.update(!isReplay && isEnded(job.status));
    this.feed.onState(job, attempt);
    const files = this.files.draw(this.#past?.position ?? null);
    put("facts", facts(job, attempt, { files, download: this.downloads.draw(), isReplay }));
    const done = attempt.overall_percent;
    const how = isOver(attempt) ? STATUS[attempt.status].word : done === null ? null : percent(done);
    this.page.title([how, this.jobId].filter(Boolean).join(" "), STATUS[attempt.status].tone);
  }

  #notice() {
    if (this.problem && this.#job === null) {
      return html`<div class="empty">
        <h1>${this.problem.status === 404 ? "This job is not known" : "This job cannot be shown"}</h1>
        <p>${this.problem.message}</p>
        <p><a href="./">All jobs</a></p>
      </div>`;
    }
    if (this.#past) {
      return html`<p class="strip tone-run">
        ${icon("clock")}<span>As it was at ${clock(this.#past.time)}</span>
        <button type="button" @click=${() => this.#replay.moveTo(null)}>
          Back to ${this.#said() === "live" ? "live" : "the newest"}
        </button>
      </p>`;
    }
    return nothing;
  }

  #keys = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || this.page.isBusy()) return;
    if (event.target.matches?.("input:not([type=checkbox]), select, textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const does = {
      "/": () => this.feed.focusSearch(),
      j: () => this.feed.move(1),
      k: () => this.feed.move(-1),
      d: () => this.feed.toggleDev(),
      End: () => this.feed.follow(),
    }[event.key];
    if (!does) return;
    event.preventDefault();
    does();
  };
}

const shell = () =>
  html`<div id="job" class="job loading">
    <div class="job-main">
      <div id="notice" class="notice"></div>
      <div id="summary" class="panel summary"></div>
      <div id="error"></div>
      <div id="standing"></div>
      <div id="actions"></div>
      <section id="steps" class="panel steps" hidden></section>
      <div id="timeline" hidden></div>
      <section id="charts" class="charts" aria-label="Metrics"></section>
      <div id="facts" class="facts"></div>
    </div>
    <section id="feed" class="panel feed" aria-labelledby="feed-title"></section>
    <div id="replay"></div>
  </div>`;
