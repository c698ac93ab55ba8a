/** The columns of the list: those that every run has, and fields that one has chosen; sorted by a head's button. */

import { html } from "../../vendor/lit-html.js";
import { oneLine } from "../lib/format.js";

/** Columns that may be hidden, in their order; `field` is what the API sorts by, null: nothing. */
export const OWN = [
  { name: "status", title: "Status", field: "status" },
  { name: "progress", title: "Progress", field: "percent" },
  { name: "started", title: "Started", field: "started" },
  { name: "events", title: "Events", field: "events" },
  { name: "trouble", title: "Trouble", field: null },
];
const JOB = { name: "job", title: "Job", field: "job" };

/** Split fields at the commas between them, not at those within quotes. */
export const fieldsOf = (text) => (text.match(/(?:"[^"]*"|[^,"])+/g) ?? []).map((one) => one.trim()).filter(Boolean);

/** Return the columns of `{hide, columns}`: the job, chosen fields behind its progress, all that are not hidden. */
export function columnsOf({ hide, columns }) {
  const hidden = new Set(fieldsOf(hide));
  const shown = OWN.filter(({ name }) => !hidden.has(name));
  const chosen = fieldsOf(columns).map((field) => ({ name: "chosen", title: field, field }));
  const at = shown.findLastIndex(({ name }) => name === "status" || name === "progress") + 1;
  return [JOB, ...shown.slice(0, at), ...chosen, ...shown.slice(at)];
}

/** Draw the heads; `sort(text)` orders by a field: first the largest first, then the smallest, then as they came. */
export function heads(columns, sorted, sort) {
  return columns.map(({ name, title, field }) => {
    const isUp = field !== null && sorted === field;
    const isDown = field !== null && sorted === `-${field}`;
    const next = isDown ? field : isUp ? "" : `-${field}`;
    const [words, mark] = [oneLine(title, 60), isUp ? " ↑" : isDown ? " ↓" : ""];
    return html`<th scope="col" class="c-${name}" aria-sort=${isUp ? "ascending" : isDown ? "descending" : "none"}>
      ${
        field === null
          ? words
          : html`<button type="button" class="sort" title=${title} @click=${() => sort(next)}>${words}${mark}</button>`
      }
    </th>`;
  });
}
