/** Which page is shown, and what stands around it: connection, session, keyboard help. */

import { html, nothing, render } from "../vendor/lit-html.js";
import { clock } from "./format.js";
import { JobsPage } from "./jobs.js";
import { startSession } from "./session.js";

const main = document.getElementById("main");
const status = document.getElementById("connection");
const PAGES = {
  "": (...all) => new JobsPage(...all),
  job: async (...all) => new (await import("./job.js")).JobPage(...all),
  compare: async (root, params) => {
    page.title("Compare");
    return (await import("./compare.js")).comparePage(root, params.getAll("id"));
  },
};
const CONNECTION = {
  connecting: ["", "Connecting"],
  live: ["live", "Live"],
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
let shown = null;
let awaySince = null; // what is shown is of then

/** What a page may do outside of its root. */
const page = {
  title: (text) => (document.title = text ? `${text} · Synapse Stream` : "Synapse Stream"),
  connection(state, problem) {
    const [look, word] = CONNECTION[state];
    if (state === "live") awaySince = null;
    else if (status.dataset.state === "live") awaySince = clock(Date.now() * 1000);
    const text = state === "refused" && problem ? problem.message : awaySince ? `${word} since ${awaySince}` : word;
    render(html`<span class="dot ${look}" aria-hidden="true"></span><span>${text}</span>`, status);
    status.dataset.state = state;
  },
  replaceQuery(values) {
    const pairs = Object.entries(values).filter(([, value]) => value);
    const query = pairs.length ? `?${new URLSearchParams(pairs)}` : "";
    history.replaceState(null, "", `${location.pathname}${query}`);
  },
  /** True while a dialog has the keyboard. */
  isBusy: () => document.querySelector("dialog[open]") !== null,
};

async function show() {
  shown?.destroy?.();
  shown = null;
  render(nothing, status);
  delete status.dataset.state;
  awaySince = null;
  const root = document.createElement("div");
  root.className = "page";
  main.replaceChildren(root);
  main.scrollTop = 0;
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
  history.pushState(null, "", url);
  show();
  main.focus();
}

function help() {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "keys-title");
  render(html`<div class="body"><h2 id="keys-title">Keyboard</h2>
    <dl class="keys">${KEYS.map(([keys, does]) => html`<dt>${keys.split("  ").map((key) => html`<kbd>${key}</kbd> `)}</dt><dd>${does}</dd>`)}</dl>
    <form method="dialog" class="row-end"><button class="primary">Close</button></form></div>`, dialog);
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

startSession(document.getElementById("session"));
show();
