/** The error of an attempt: its first line, the frame in which it was raised, and those before it. */

import { html, nothing } from "../../vendor/lit-html.js";
import { coloured } from "../lib/ansi.js";
import { copyText } from "../lib/copy.js";
import { visible } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { counted } from "../lib/numbers.js";

const FRAME = /^ +File ".*", line \d+/;

export function failure({ error }) {
  if (!error) return nothing;
  const [head, ...rest] = error.split("\n\n");
  const trace = rest.join("\n\n");
  return html`<section class="panel error-panel" aria-label="Error">
    <p class="alert" tabindex="0">
      <strong>${icon("cross")} <bdi dir="auto">${coloured(head)}</bdi></strong>
    </p>
    ${trace ? traceback(trace, error) : nothing}
  </section>`;
}

function traceback(trace, error) {
  const { before, frames, last } = opened(trace);
  const copy = ({ currentTarget: button }) =>
    copyText(error).then(
      () => (button.lastElementChild.textContent = "Copied"),
      (problem) => (button.lastElementChild.textContent = problem.message),
    );
  return html`<div class="traceback">
    <div class="panel-head">
      <h2>Traceback</h2>
      <button type="button" @click=${copy}>${icon("copy")} <span>Copy</span></button>
    </div>
    ${
      before
        ? html`<details>
            <summary>${counted(frames, "frame")} before</summary>
            <pre tabindex="0">${visible(before)}</pre>
          </details>`
        : nothing
    }
    <pre class="frame" tabindex="0" aria-label="Where it was raised">${visible(last)}</pre>
  </div>`;
}

/** Divide a traceback: what lies before the frame in which the error was raised, how many frames, and the rest. */
function opened(trace) {
  const lines = trace.split("\n");
  const starts = lines.flatMap((line, number) => (FRAME.test(line) ? [number] : []));
  if (starts.length < 2) return { before: "", frames: 0, last: trace };
  const at = starts.at(-1);
  return { before: lines.slice(0, at).join("\n"), frames: starts.length - 1, last: lines.slice(at).join("\n") };
}
