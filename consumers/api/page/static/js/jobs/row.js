/** A job as a row of the list: how it goes, in words and shapes. */

import { html, nothing } from "../../vendor/lit-html.js";
import { ago, cut, dateTime, duration, left, oneLine, percent, shortCount } from "../lib/format.js";
import { badge, finding, HEALTH, STATUS } from "../lib/icons.js";
import { counted, formatValue } from "../lib/numbers.js";
import { HELP } from "../lib/words.js";
import { healthOf, isOver, pluginNowOf, remaining, secondsSince } from "../server/health.js";

const SHOWN = new Set(["job", "status", "action", "percent", "started", "events", "error"]);

/**
 * Return the cells of a job for `columns`. `choose(isChosen)` takes the job into a comparison or out of it; `focus()`
 * is told that the row has the keyboard.
 */
export function cells(job, columns, { isChosen, choose, focus }) {
  const name = oneLine(job.job_id);
  const tick = ({ target }) => choose(target.checked);
  const fields = new Set(columns.map(({ field }) => field));
  const draw = {
    job: () =>
      html`<td class="c-job">
        <a href="job?${new URLSearchParams({ id: job.job_id })}" @focus=${focus}><bdi>${name}</bdi></a
        >${about(job, fields)}
      </td>`,
    status: () => html`<td class="c-status">${badge(STATUS, job.status, "plain")}${sign(job)}</td>`,
    progress: () => html`<td class="c-progress">${progress(job, name)}</td>`,
    started: () =>
      html`<td class="c-started" title=${dateTime(job.started)}>${ago(secondsSince(job.started / 1000))}</td>`,
    events: () => html`<td class="c-events number">${shortCount(job.events)}</td>`,
    trouble: () => html`<td class="c-trouble">${trouble(job)}</td>`,
    chosen: ({ field }) => chosen(job.values?.[field]),
  };
  return html`<td class="choose">
      <input type="checkbox" aria-label="Compare ${name}" .checked=${isChosen} @change=${tick} />
    </td>
    ${columns.map((column) => draw[column.name](column))}`;
}

function chosen(value) {
  if (value === null || value === undefined) return html`<td class="c-chosen">–</td>`;
  if (typeof value === "number") return html`<td class="c-chosen number">${formatValue(value)}</td>`;
  const text = oneLine(typeof value === "string" ? value : JSON.stringify(value), 200);
  return html`<td class="c-chosen" title=${text}><bdi>${text}</bdi></td>`;
}

function about(job, fields) {
  const parts = [job.action, job.attempts > 1 ? `attempt ${job.attempt}` : null].filter(Boolean);
  const labels = Object.entries(job.labels ?? {}).slice(0, 3);
  return html`<div class="sub">
    <bdi>${oneLine(parts.join(" · "), 120)}</bdi> ${Object.entries(job.values ?? {})
      .filter(([name]) => !SHOWN.has(name) && !fields.has(name))
      .map(([name, value]) =>
        chip(`${name} ${typeof value === "number" ? formatValue(value) : (value ?? "none")}`, name),
      )}
    ${labels.map(([name, value]) => chip(`${name}=${typeof value === "object" ? "…" : value}`))}
  </div>`;
}

const chip = (text, title = nothing) => html`<span class="chip" title=${title}><bdi>${oneLine(text, 60)}</bdi></span>`;

function sign(job) {
  if (isOver(job)) return html`<div class="sub">took ${duration(job.duration_seconds)}</div>`;
  const health = healthOf(job);
  return html`<div class="sub">
    ${health === "alive" ? "" : badge(HEALTH, health, "plain")} heard ${ago(secondsSince(job.last_sign_ms))}
  </div>`;
}

function progress(job, name) {
  if (job.percent === null) return html`<span class="sub">no progress</span>`;
  const look = { completed: "good", failed: "bad", cancelled: "idle" }[job.status] ?? "";
  const now = pluginNowOf(job);
  const rest =
    job.eta_seconds === null ? nothing : left(remaining(job.eta_seconds, job.eta_time, now), job.eta_is_at_least);
  return html`<div class="bar">
      <progress class=${look} max="100" .value=${job.percent} aria-label="Progress of ${name}"></progress
      ><span class="number">${percent(job.percent)}</span>
    </div>
    <div class="sub">${job.percent_is_at_least ? "at least; " : ""}${rest}</div>`;
}

function trouble(job) {
  const { completeness, parked, damaged, error, waiting, notes, alive_beside: others } = job;
  const parts = [];
  const find = (...given) => parts.push(finding(...given));
  if (completeness === "incomplete") find("bad", "warn", "events missing", HELP.missing);
  if (completeness === "shed" && job.is_uncounted) find("warn", "warn", "an unknown number missing", HELP.uncounted);
  if (completeness === "shed" && !job.is_uncounted) find("warn", "warn", "events given up", HELP.givenUp);
  if (waiting && isOver(job))
    find("warn", "clock", `${counted(waiting, "process", "processes")} not ended`, HELP.notEnded);
  if (others.length) find("warn", "warn", `attempt ${others.join(", ")} alive, too`, HELP.otherAttempt);
  if (notes.length) find("warn", "warn", html`<bdi>${oneLine(notes[0], 80)}</bdi>`, notes.join("\n"));
  if (damaged.length) find("bad", "warn", "damaged in the store", `${HELP.damaged}: ${damaged.join(", ")}`);
  if (parked) find("warn", "warn", `${counted(parked, "event")} not understood`, HELP.notUnderstood);
  if (error) parts.push(firstLine(error));
  return parts;
}

const firstLine = (error) =>
  html`<span class="error" title=${cut(error, 1000)}><bdi>${oneLine(error.split("\n", 1)[0], 160)}</bdi></span>`;
