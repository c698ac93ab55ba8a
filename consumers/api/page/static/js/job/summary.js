/** Where a job stands, at a glance: status and the evidence for it, bar, figures, trouble. */

import { html, nothing } from "../../vendor/lit-html.js";
import { ago, clock, dateTime, duration, left, oneLine, share } from "../lib/format.js";
import { badge, finding, HEALTH, icon, STATUS } from "../lib/icons.js";
import { counted, formatCount } from "../lib/numbers.js";
import { HELP } from "../lib/words.js";
import { healthOf, isEnded, isOver, millis, remaining, secondsSince } from "../server/health.js";

const WEIGHTS =
  "Actions and steps by the weights that were announced, else by the time they take; what has not begun counts, too";
const NOT_SAID = "What is under way does not say how far it is";
const MORE = "Nothing is known yet of how long the rest will take";
const LOOK = { completed: "good", failed: "bad", cancelled: "idle" };

/** `moment`: µs that replay shows, or null; `now`: the clock of the plugin; `pick(number)` picks an attempt. */
export function summary(job, attempt, { moment, now, pick, bell }) {
  return html`<div class="job-title">
      <a class="back" href="./" aria-label="All jobs">${icon("back")}</a>
      <h1><bdi>${oneLine(job.job_id)}</bdi></h1>
      ${badge(STATUS, attempt.status)}${moment === null ? evidence(attempt) : nothing}
      ${job.attempts.length > 1 ? attempts(job, attempt, pick) : nothing} ${bell}
    </div>
    ${notes(job, attempt, moment)} ${overall(job, attempt, now)}
    <dl class="figures">
      ${figures(job, attempt, moment, now).map(
        ([name, value, hint]) =>
          html`<div>
            <dt>${name}</dt>
            <dd title=${hint ?? nothing}>${value}</dd>
          </div>`,
      )}
    </dl>`;
}

/** Return the badge of an attempt's health and what it rests on. */
function evidence(attempt) {
  const health = healthOf(attempt);
  const newest = attempt.ranks.reduce((a, b) => (a === null || b.last_sign_ms > a.last_sign_ms ? b : a), null);
  const whose = newest === null ? "" : `, rank ${newest.rank}${newest.host ? ` on ${oneLine(newest.host, 60)}` : ""}`;
  return html`${health === "ended" ? nothing : badge(HEALTH, health)}
    <span class="evidence" title=${HELP.lastHeard}
      >last heard ${ago(secondsSince(attempt.last_sign_ms))}${whose}</span
    >`;
}

/** What must be known of a run besides, as the server words it. */
function notes(job, attempt, moment) {
  const others = moment === null && attempt.number === job.latest ? job.alive_beside : [];
  const said = [
    ...attempt.notes,
    ...job.notes,
    ...(others.length
      ? [`${counted(others.length, "other attempt")} reported beside this one, and still alive: ${others.join(", ")}`]
      : []),
  ];
  return said.map(
    (note) => html`<p class="plain-warn wraps" role="note">${icon("warn")}<bdi>${oneLine(note, 500)}</bdi></p>`,
  );
}

function attempts(job, attempt, pick) {
  return html`<label class="field end"
    >Attempt
    <select @change=${(event) => pick(Number(event.target.value))}>
      ${job.attempts.map(
        ({ number, status }) =>
          html`<option value=${number} ?selected=${number === attempt.number}>
            ${number} (${status})${number === job.latest ? ", newest" : ""}
          </option>`,
      )}
    </select></label
  >`;
}

function overall(job, attempt, now) {
  const { overall_percent: done, overall_is_at_least: isLeast, status } = attempt;
  if (done === null) return nothing;
  return html`<div class="overall">
    <progress class=${LOOK[status] ?? ""} max="100" .value=${done} aria-label="Progress of the job"></progress>
    <strong class="number" title=${isLeast ? NOT_SAID : WEIGHTS}>${share(done, isLeast)}</strong>
    <span class="left" title=${attempt.eta_is_at_least ? MORE : nothing}>${timeLeft(attempt, now)}</span>
  </div>`;
}

function timeLeft(attempt, now) {
  if (isEnded(attempt.status)) return `took ${duration(attempt.duration_seconds)}`;
  const { eta_seconds: eta, eta_is_at_least: isLeast, eta_time: at } = attempt;
  return eta === null ? "no estimate yet" : left(remaining(eta, at, now), isLeast);
}

function figures(job, attempt, moment, now) {
  const { lost } = attempt;
  const messages = Object.values(attempt.levels).reduce((sum, one) => sum + one, 0);
  const end = isEnded(attempt.status) ? attempt.duration_seconds : Math.max(0, (now - attempt.started) / 1e6);
  return [
    ["Action", attempt.action === null ? "none" : html`<bdi>${oneLine(attempt.action, 80)}</bdi>`],
    ["Started", clock(attempt.started), dateTime(attempt.started)],
    ["Elapsed", duration(moment === null ? end : Math.max(0, (moment - attempt.started) / 1e6))],
    ["Events", formatCount(attempt.events)],
    ["Messages", formatCount(messages)],
    ["Completeness", completeness(attempt)],
    ...(job.parked
      ? [["Not understood", finding("warn", "warn", counted(job.parked, "event"), HELP.notUnderstood)]]
      : []),
    ...(job.damaged.length ? [["Damaged", finding("bad", "warn", job.damaged.join(", "), HELP.damaged)]] : []),
    ...(lost.length ? [["Lost", finding("bad", "lost", counted(lost.length, "process", "processes"), HELP.died)]] : []),
    ["Newest event", moment === null ? ago(secondsSince(millis(job.position))) : "replay", job.position],
  ];
}

function completeness(attempt) {
  const { status, missing_count: lost, shed, is_uncounted: isUncounted, waiting_count: waiting } = attempt.completeness;
  const given = Object.values(shed).reduce((sum, one) => sum + one, 0);
  if (status === "complete") return finding("good", "check", "complete", HELP.complete);
  if (status === "incomplete") return finding("bad", "warn", `${formatCount(lost)} missing`, HELP.missing);
  if (isUncounted) return finding("warn", "warn", "an unknown number missing", HELP.uncounted);
  if (status === "shed") return finding("warn", "warn", `${formatCount(given)} given up`, HELP.givenUp);
  if (isOver(attempt) && waiting)
    return finding("warn", "clock", `${counted(waiting, "process", "processes")} not ended`, HELP.notEnded);
  return finding("idle", "clock", "all there so far", HELP.allSoFar);
}

function actionError(error) {
  return html`<span class="plain-bad a-error" title=${error.slice(0, 1000)}
    ><bdi>${oneLine(error.split("\n", 1)[0], 200)}</bdi></span
  >`;
}

/** The actions of a pipeline, in their order. */
export function actions({ actions: list }, now) {
  if (list.length === 0) return nothing;
  return html`<section class="panel" aria-labelledby="actions-title">
    <div class="panel-head"><h2 id="actions-title">Actions</h2></div>
    <ol class="pipeline">
      ${list.map(
        ({ name, status, started, ended, error }) =>
          html`<li>
            ${badge(STATUS, status)}<bdi class="a-name">${oneLine(name, 100)}</bdi>
            <span class="note">${started === null ? "" : duration(Math.max(0, ((ended ?? now) - started) / 1e6))}</span>
            ${error ? actionError(error) : nothing}
          </li>`,
      )}
    </ol>
  </section>`;
}
