/** A job's data as files. A link cannot send the `Accept` that asks for them, so they are fetched and then saved. */

import { html, nothing } from "../../vendor/lit-html.js";
import { plain } from "../lib/ansi.js";
import { bytes, exactTime } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { jobPath, request } from "../server/api.js";

const FILES = [
  { what: "events", path: "/events", accept: "application/x-ndjson", end: "events.ndjson", name: "Events (NDJSON)" },
  {
    what: "messages",
    path: "/messages",
    accept: "application/x-ndjson",
    end: "messages.ndjson",
    name: "Messages (NDJSON)",
  },
  {
    what: "text",
    path: "/messages",
    accept: "application/x-ndjson",
    end: "messages.txt",
    name: "Messages (text)",
    type: "text/plain",
    convert: (body) =>
      body.pipeThrough(new TextDecoderStream()).pipeThrough(asText()).pipeThrough(new TextEncoderStream()),
  },
  { what: "metrics", path: "/metrics?attempt=all", accept: "text/csv", end: "metrics.csv", name: "Metrics (CSV)" },
];

export class Downloads {
  #abort = new AbortController();
  #running = null; // {what, size}
  #problem = null;

  constructor(jobId, onChange) {
    this.jobId = jobId;
    this.onChange = onChange;
  }

  destroy() {
    this.#abort.abort();
  }

  draw() {
    return html`<div class="downloads">
        ${FILES.map(
          (file) =>
            html`<button type="button" ?disabled=${this.#running !== null} @click=${() => this.#save(file)}>
              ${icon("save")} ${file.name}
            </button>`,
        )}
        <span role="status">${this.#running ? `${bytes(this.#running.size)} read …` : nothing}</span>
      </div>
      ${this.#problem ? html`<p class="alert" role="alert">${this.#problem.message}</p>` : nothing}`;
  }

  async #save(file) {
    this.#running = { what: file.what, size: 0 };
    this.#problem = null;
    this.onChange();
    try {
      const options = { headers: { Accept: file.accept }, signal: this.#abort.signal };
      const response = await request(jobPath(this.jobId, file.path), options);
      offer(await this.#read(response, file), `${this.jobId.replace(/[^\w.-]+/g, "_")}.${file.end}`);
    } catch (problem) {
      this.#problem = problem;
    }
    this.#running = null;
    this.onChange();
  }

  async #read(response, { type = response.headers.get("Content-Type"), convert = (body) => body }) {
    const parts = [];
    const reader = convert(response.body).getReader();
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
      parts.push(value);
      this.#running.size += value.length;
      this.onChange();
    }
    return new Blob(parts, { type });
  }
}

/** Return a transform of messages, a line of JSON each, to lines that people read: time, level, where from, text. */
function asText() {
  let rest = "";
  const write = (line) => {
    const { time, level, step, rank, attempt, content } = JSON.parse(line);
    const origin = [step, `rank ${rank}`, `attempt ${attempt}`].filter(Boolean).join(", ");
    return `${exactTime(time)} ${level} [${origin}] ${plain(content)}\n`;
  };
  return new TransformStream({
    transform(chunk, out) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop();
      out.enqueue(lines.map(write).join(""));
    },
    flush: (out) => rest && out.enqueue(write(rest)),
  });
}

function offer(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
