/** Which page is shown, and what stands around it: connection, session, keyboard help. */

import { html, nothing, render } from "../vendor/lit-html.js";
import { JobsPage } from "./jobs/page.js";
import { ago, clock } from "./lib/format.js";
import { icon } from "./lib/icons.js";
import { startTheme } from "./lib/theme.js";
import { away, noteConnection } from "./server/away.js";
import { serverNow } from "./server/clock.js";
import { startSession } from "./server/session.js";

const main = document.getElementById("main");
const status = document.getElementById("connection");
const PAGES = {
  "": (...all) => new JobsPage(...all),
  job: async (...all) => new (await import("./job/page.js")).JobPage(...all),
  compare: async (...all) => new (await import("./compare/page.js")).ComparePage(...all),
  trail: async (...all) => new (await import("./trail/page.js")).TrailPage(...all),
};
const CONNECTION = {
  connecting: ["", "Connecting"],
  live: ["live", "Live"],
  ended: ["", "Run over"],
  reconnecting: ["away", "Reconnecting"],
  refused: ["away", "Not connected"],
};
const KEYS = [
  ["/", "Search"],
  ["j  k  ↓  ↑", "Next and previous job or message"],
  ["Enter", "Open a job, show a message whole"],
  ["x", "Choose a job to compare"],
  ["End", "Follow the newest messages"],
  ["d", "Dev events on and off"],
  ["Space", "Play and pause the replay, on its bar"],
  ["Esc", "Leave a field, close"],
];
const LOGO_BLUE = "%233b6fd4";
const TONES = { good: "%231e8e4e", bad: "%23c9372c", warn: "%23b26a00" };
const tabIcon = document.querySelector("link[rel=icon]");
const logo = tabIcon.href;
let shown = null;
let connection = null; // {state, problem} of the page that is shown

/** What a page may do outside of its root; `place` is what it was when one left it, for who comes back. */
const page = {
  place: null,
  /** Name the tab; `tone` colours its icon: good, bad, warn, or another one for none of them. */
  title(text, tone = "") {
    document.title = text ? `${text} · Synapse Stream` : "Synapse Stream";
    tabIcon.href = logo.replaceAll(LOGO_BLUE, TONES[tone] ?? LOGO_BLUE);
  },
  connection(state, problem) {
    connection = { state, problem };
    noteConnection(state === "ended" ? null : state);
    drawConnection();
  },
  /** Have the address say this, too: lists are repeated, what is nothing is left out, what is not named stays. */
  replaceQuery(values) {
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(values)) {
      query.delete(name);
      for (const one of [value].flat()) if (one) query.append(name, one);
    }
    history.replaceState(history.state, "", `${location.pathname}${query.size ? `?${query}` : ""}`);
  },
  /** True while a dialog has the keyboard. */
  isBusy: () => document.querySelector("dialog[open]") !== null,
};

/** Say in the header how the connection stands, and below it what does not answer and since when. */
function drawConnection() {
  const gone = connection === null ? null : away();
  render(gone === null ? nothing : banner(gone), document.getElementById("away"));
  if (connection === null) return render(nothing, status);
  const { state, problem } = connection;
  const [look, word] = gone?.whose === "server" ? ["away", "Server away"] : CONNECTION[state];
  const text =
    state === "refused" && problem
      ? problem.message
      : gone === null
        ? word
        : `${word} since ${clock(gone.since * 1000)}`;
  render(html`<span class="dot ${look}" aria-hidden="true"></span><span>${text}</span>`, status);
  status.dataset.state = gone?.whose === "server" ? "away" : state;
}

function banner({ since, whose }) {
  const when = html`${clock(since * 1000)}<span aria-hidden="true"
      >, ${ago(Math.max(0, serverNow() - since) / 1000)}</span
    >`;
  return html`<p class="strip tone-warn">
    ${icon("warn")}<span
      >${
        whose === "page"
          ? html`No connection: this is the state of ${when}.`
          : html`The server that runs report to does not answer: this is the state of ${when}. Runs go on, and what they
            report meanwhile is shown afterwards.`
      }</span
    >
  </p>`;
}

async function show() {
  shown?.destroy?.();
  shown = null;
  connection = null;
  noteConnection(null);
  drawConnection();
  const root = document.createElement("div");
  root.className = "page";
  main.replaceChildren(root);
  main.scrollTop = 0;
  page.place = history.state?.place ?? null;
  const name = location.pathname.split("/").at(-1);
  const made = await (PAGES[name] ?? PAGES[""])(root, new URLSearchParams(location.search), page);
  if (root.isConnected) shown = made;
  else made?.destroy?.();
}

/** Links between our pages change only what is in `main`. */
function follow(event) {
  const link = event.target.closest?.("a[href]");
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || link.hasAttribute("download")) return;
  const url = new URL(link.href);
  const isPage = url.origin === location.origin && url.pathname.split("/").at(-1) in PAGES && !url.hash;
  if (!isPage) return;
  event.preventDefault();
  history.replaceState({ place: shown?.place ?? null }, "");
  history.pushState(null, "", url);
  show();
  main.focus();
}

function help() {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "keys-title");
  render(
    html`<div class="body">
      <h2 id="keys-title">Keyboard</h2>
      <dl class="keys">
        ${KEYS.map(
          ([keys, does]) =>
            html`<dt>${keys.split("  ").map((key) => html`<kbd>${key}</kbd> `)}</dt>
              <dd>${does}</dd>`,
        )}
      </dl>
      <form method="dialog" class="row-end"><button class="primary">Close</button></form>
    </div>`,
    dialog,
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

document.addEventListener("click", follow);
document.getElementById("help").addEventListener("click", help);
addEventListener("popstate", show);
addEventListener("keydown", (event) => {
  if (event.key === "?" && !page.isBusy() && !event.target.matches?.("input, textarea")) help();
});

setInterval(drawConnection, 1000);
startTheme(document.getElementById("theme"));
startSession(document.getElementById("session"));
show();
