/** What else is known of a job: parameters, result, processes, what is missing, and all of it to take away. */

import { html, nothing } from "../../vendor/lit-html.js";
import { ago, clock, cut, dateTime, duration, oneLine, visible } from "../lib/format.js";
import { textOf } from "../lib/free.js";
import { badge, HEALTH, STATUS } from "../lib/icons.js";
import { counted, formatCount } from "../lib/numbers.js";
import { HELP } from "../lib/words.js";
import { healthOf, isOver, secondsSince } from "../server/health.js";

const MOST_RANKS = 256;
const MOST_PAIRS = 500;
const SHORT = 80;

/** `files` and `download` are drawn already; `isReplay` leaves out what is true only of now. */
export function facts(job, attempt, { files, download, isReplay }) {
  return html`${section("Parameters", free(attempt.params))} ${section("Result", free(attempt.result))}
  ${section("Files and checkpoints", files)} ${section("Labels", free(attempt.labels))}
  ${section("Processes", ranks(attempt, isReplay), counted(attempt.ranks.length, "rank"))}
  ${section("Lost processes", lost(attempt.lost))}
  ${section("Attempts", attemptsTable(job), formatCount(job.attempt_count))} ${section("Completeness", gaps(attempt))}
  ${section("Others reported as this run", interference(attempt.resumed))}
  ${section("Events", counts(attempt), formatCount(attempt.events))}
  ${isReplay ? nothing : section("Downloads", download)}`;
}

function section(title, body, note = "") {
  if (body === nothing) return nothing;
  return html`<details class="panel fact" open>
    <summary>
      <h2>${title}</h2>
      <span class="note">${note}</span>
    </summary>
    <div class="fact-body" tabindex="0" role="group" aria-label=${title}>${body}</div>
  </details>`;
}

function free(value) {
  if (value === null || value === undefined) return nothing;
  if (typeof value !== "object" || Array.isArray(value)) return html`<pre tabindex="0">${visible(textOf(value))}</pre>`;
  const entries = Object.entries(value);
  if (entries.length === 0) return nothing;
  return html`<dl class="pairs">
      ${entries.slice(0, MOST_PAIRS).map(
        ([name, item]) =>
          html`<div>
            <dt><bdi>${oneLine(name, 200)}</bdi></dt>
            <dd>${long(valueText(item))}</dd>
          </div>`,
      )}
    </dl>
    ${
      entries.length > MOST_PAIRS
        ? html`<p class="note">${formatCount(entries.length - MOST_PAIRS)} more are in the download of events.</p>`
        : nothing
    }`;
}

function valueText(value) {
  if (typeof value === "string") return value;
  const line = textOf(value, { line: true });
  return line.length <= SHORT ? line : textOf(value);
}

function long(text) {
  return html`<bdi dir="auto">${visible(cut(text, 4000))}</bdi>`;
}

const heads = (names) => names.map((name) => html`<th scope="col">${name}</th>`);

function ranks(attempt, isReplay) {
  if (attempt.ranks.length === 0) return nothing;
  return html`<div class="scroll-x" tabindex="0" role="region" aria-label="Processes">
    <table class="facts-table">
      <caption class="visually-hidden">
        Processes of this attempt
      </caption>
      <thead>
        <tr>
          ${heads(["Rank", "Status", "Host", "Pid", "Python", "Libraries", "Last heard"])}
        </tr>
      </thead>
      <tbody>
        ${attempt.ranks.slice(0, MOST_RANKS).map(
          (rank) =>
            html`<tr>
                <th scope="row">${rank.rank}</th>
                <td>${rankStatus(rank, isReplay)}</td>
                <td><bdi>${oneLine(rank.host ?? "", 80)}</bdi></td>
                <td>${rank.pid ?? ""}</td>
                <td>${oneLine(rank.python ?? "", 40)}</td>
                <td>
                  ${oneLine(
                    Object.entries(rank.sdk)
                      .map((pair) => pair.join(" "))
                      .join(", "),
                    200,
                  )}
                </td>
                <td>${isReplay ? "" : ago(secondsSince(rank.last_sign_ms))}</td>
              </tr>
              ${
                rank.error && rank.error !== attempt.error
                  ? html`<tr>
                      <td></td>
                      <td colspan="6" class="plain-bad">${oneLine(rank.error, 300)}</td>
                    </tr>`
                  : nothing
              }`,
        )}
      </tbody>
    </table>
  </div>`;
}

function rankStatus(rank, isReplay) {
  if (rank.is_lost) return badge(HEALTH, "lost", "plain");
  if (rank.is_ending) return html`${badge(STATUS, rank.status, "plain")} <span class="note">asked to end</span>`;
  const health = healthOf(rank);
  return isReplay || health === "ended" || health === "alive"
    ? badge(STATUS, rank.status, "plain")
    : badge(HEALTH, health, "plain");
}

function lost(list) {
  if (list.length === 0) return nothing;
  return html`<ul class="lines">
    ${list.map(
      ({ rank, host, pid, time, reason }) =>
        html`<li>
          <strong>${rank === null ? "A child process" : `Rank ${rank}`}</strong>
          ${host ? html`on <bdi>${oneLine(host, 80)}</bdi>` : ""} ${pid === null ? "" : `(pid ${pid})`}, seen dead at
          <span title=${dateTime(time)}>${clock(time)}</span>: <bdi>${oneLine(reason)}</bdi>
        </li>`,
    )}
  </ul>`;
}

function attemptsTable({ attempts }) {
  if (attempts.length < 2) return nothing;
  return html`<div class="scroll-x" tabindex="0" role="region" aria-label="Attempts">
    <table class="facts-table">
      <caption class="visually-hidden">
        Attempts of this job
      </caption>
      <thead>
        <tr>
          ${heads(["Attempt", "Status", "Started", "Took", "Events", "Error"])}
        </tr>
      </thead>
      <tbody>
        ${attempts.map(
          (one) =>
            html`<tr>
              <th scope="row">${one.number}</th>
              <td>${badge(STATUS, one.status, "plain")}</td>
              <td title=${dateTime(one.started)}>${clock(one.started)}</td>
              <td>${duration(one.duration_seconds)}</td>
              <td>${formatCount(one.events)}</td>
              <td class="wide"><bdi>${oneLine(one.error?.split("\n", 1)[0] ?? "", 120)}</bdi></td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function interference(list) {
  if (list.length === 0) return nothing;
  return html`<p>
      Somebody else reported under the name of a process of this run. What stands there behind the number given is not
      its own.
    </p>
    <ul class="lines">
      ${list.map(
        ({ rank, host, pid, time, reason, producer, last, heir }) =>
          html`<li>
            <strong>${rank === null ? "A child process" : `Rank ${rank}`}</strong>
            ${host ? html`on <bdi>${oneLine(host, 80)}</bdi>` : ""} ${pid === null ? "" : `(pid ${pid})`} left
            <code>${oneLine(producer, 80)}</code> behind number ${last} at
            <span title=${dateTime(time)}>${clock(time)}</span> and goes on as <code>${oneLine(heir, 80)}</code>:
            <bdi>${oneLine(reason)}</bdi>
          </li>`,
      )}
    </ul>`;
}

function gaps(attempt) {
  const {
    missing,
    missing_count: missingCount,
    shed,
    reasons,
    is_uncounted: isUncounted,
    waiting,
    waiting_count: waitingCount,
  } = attempt.completeness;
  const producers = Object.entries(missing);
  const types = Object.entries(shed);
  const isWaiting = isOver(attempt) && waitingCount > 0;
  if (producers.length + types.length === 0 && !isUncounted && !isWaiting) return nothing;
  return html`${
    producers.length
      ? html`<p>${counted(missingCount, "event")} missing:</p>
          <ul class="lines">
            ${producers.slice(0, 100).map(
              ([producer, ranges]) =>
                html`<li>
                  <code>${oneLine(producer, 80)}</code>: numbers
                  ${ranges
                    .slice(0, 20)
                    .map(([a, b]) => (a === b ? a : `${a}–${b}`))
                    .join(", ")}${ranges.length > 20 ? ", …" : ""}
                </li>`,
            )}
          </ul>`
      : nothing
  }
  ${
    types.length
      ? html`<p title=${HELP.givenUp}>
            Given up, and counted: ${types.map(([type, n]) => `${formatCount(n)} ${oneLine(type, 40)}`).join(", ")}.
          </p>
          <ul class="lines">
            ${Object.entries(reasons).map(
              ([reason, n]) => html`<li><bdi>${oneLine(reason, 200)}</bdi>: ${counted(n, "event")}</li>`,
            )}
          </ul>`
      : nothing
  }
  ${isUncounted ? html`<p title=${HELP.uncounted}>An unknown number of events is missing.</p>` : nothing}
  ${
    isWaiting
      ? html`<p>${counted(waitingCount, "process", "processes")} of this run did not end, or nothing came of them:</p>
          <ul class="lines">
            ${waiting.map((producer) => html`<li><code>${oneLine(producer, 80)}</code></li>`)}
            ${
              waitingCount > waiting.length
                ? html`<li>${formatCount(waitingCount - waiting.length)} more</li>`
                : nothing
            }
          </ul>`
      : nothing
  }`;
}

function counts({ counts: types }) {
  const entries = Object.entries(types).sort(([, a], [, b]) => b - a);
  if (entries.length === 0) return nothing;
  return html`<dl class="pairs numbers">
    ${entries.slice(0, 50).map(
      ([type, n]) =>
        html`<div>
          <dt><bdi>${oneLine(type, 60)}</bdi></dt>
          <dd>${formatCount(n)}</dd>
        </div>`,
    )}
  </dl>`;
}
