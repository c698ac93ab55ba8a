/** The head of a group of metrics: its name, how many there are, and whether they are shown. */

import { html } from "../../vendor/lit-html.js";
import { oneLine } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { counted, formatCount } from "../lib/numbers.js";

/** `first` is the number of the first that the page shows, `shown` how many of them. */
export function groupHead(group, { isFolded, fold, first, shown }) {
  const { length } = group.metrics;
  const part = shown < length ? `${formatCount(first + 1)}–${formatCount(first + shown)} of ` : "";
  return html`<h3 class="chart-head">
    <button type="button" aria-expanded=${String(!isFolded)} @click=${fold}>
      ${icon(isFolded ? "right" : "open")}${nameOf(group)}
    </button>
    <span class="note">${isFolded ? "" : part}${counted(length, "metric")}</span>
  </h3>`;
}

function nameOf({ isPinned, step, prefix }) {
  if (isPinned) return html`<span>Pinned</span>`;
  const home = step === null ? (prefix ? "" : "Without a step") : oneLine(step);
  return html`<span
    >${home}${prefix ? html`<span class="chart-prefix">${home ? " · " : ""}${oneLine(prefix)}</span>` : ""}</span
  >`;
}
