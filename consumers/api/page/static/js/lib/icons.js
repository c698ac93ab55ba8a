/** Small drawings, and what a status, a health or a level looks like: a shape and a word, not only a colour. */

import { html, nothing } from "../../vendor/lit-html.js";

const PATHS = {
  check: "M3 8.5 6.5 12 13 4.5",
  cross: "M4 4l8 8M12 4l-8 8",
  run: "M5 3.5v9l7.5-4.5z",
  clock: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 5v3.2l2 1.3",
  stop: "M4 4h8v8H4z",
  skip: "M3 4l5 4-5 4zM9 4l5 4-5 4z",
  warn: "M8 2.5 14.5 13.5h-13zM8 6.8v3M8 11.7v.1",
  info: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 7.4v3.4M8 5.1v.1",
  code: "M5.5 4.5 2 8l3.5 3.5M10.5 4.5 14 8l-3.5 3.5",
  pulse: "M1.5 8h3l2-4.5 3 9 2-4.5h3",
  lost: "M8 14A6 6 0 1 1 8 2M10.5 2.6 12.6 5M13.8 7v2.6",
  down: "M8 3v9M4 8.5 8 12.5l4-4",
  up: "M8 13V4M4 7.5 8 3.5l4 4",
  save: "M8 2v7.5M4.8 6.6 8 9.8l3.2-3.2M2.5 13h11",
  back: "M9.5 3.5 5 8l4.5 4.5",
  open: "M3.5 6 8 10.5 12.5 6",
  right: "M6 3.5 10.5 8 6 12.5",
  pin: "M5.5 2.5h5M6.5 2.5v4L4.5 9h7l-2-2.5v-4M8 9v5",
  wide: "M9.5 2.5h4v4M6.5 13.5h-4v-4M13.5 2.5 9 7M2.5 13.5 7 9",
  copy: "M5.5 5.5h8v8h-8zM3 10.5h-.5v-8h8V3",
  system: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 2v12M8 5h4.5M8 8h6M8 11h4.5",
  light: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  dark: "M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5z",
  bell: "M3 12h10M4.5 12V7.5a3.5 3.5 0 0 1 7 0V12M7 14.2h2",
  star: "M8 2v12M2 8h12",
};

export const icon = (name) =>
  html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=${PATHS[name]}></path></svg>`;

export const STATUS = {
  pending: { icon: "clock", tone: "idle", word: "Pending" },
  running: { icon: "run", tone: "run", word: "Running" },
  completed: { icon: "check", tone: "good", word: "Completed" },
  failed: { icon: "cross", tone: "bad", word: "Failed" },
  cancelled: { icon: "stop", tone: "warn", word: "Cancelled" },
  skipped: { icon: "skip", tone: "idle", word: "Skipped" },
};

export const HEALTH = {
  alive: {
    icon: "pulse",
    tone: "good",
    word: "Alive",
    help: "A process of the run was heard of less than 40 s ago",
  },
  silent: {
    icon: "clock",
    tone: "warn",
    word: "Silent",
    help: "Nothing was heard of the run for 40 s: its machine may be busy, asleep or cut off",
  },
  lost: {
    icon: "lost",
    tone: "bad",
    word: "Lost",
    help: "Nothing was heard of it for two minutes, or its process is known to have died",
  },
  ended: {
    icon: "stop",
    tone: "idle",
    word: "Ended",
    help: "The run was asked to end, and nothing was heard of it since",
  },
};

export const LEVELS = {
  debug: { icon: "code", tone: "idle" },
  info: { icon: "info", tone: "run" },
  success: { icon: "check", tone: "good" },
  warning: { icon: "warn", tone: "warn" },
  danger: { icon: "warn", tone: "bad" },
  error: { icon: "cross", tone: "bad" },
  critical: { icon: "cross", tone: "bad" },
};

const UNKNOWN = { icon: "info", tone: "idle" };

export const lookOf = (table, name) => table[name] ?? { ...UNKNOWN, word: name };

/** Return a word with its shape, as a pill or as plain text. */
export function badge(table, name, form = "badge") {
  const look = lookOf(table, name);
  const style = form === "badge" ? `badge tone-${look.tone}` : `plain-${look.tone}`;
  return html`<span class=${style} title=${look.help ?? nothing}>${icon(look.icon)}${look.word ?? name}</span>`;
}

/** Return a finding in words, with a shape beside it; `help` is for who points at it. */
export const finding = (tone, drawing, words, help = nothing) =>
  html`<span class="plain-${tone}" title=${help}>${icon(drawing)}${words}</span>`;
