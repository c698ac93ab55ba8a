/** Stands in a report for `server/request.js`: what the page asks the API for is answered from the file. */

import { isAfter } from "../lib/positions.js";
import { frozen } from "./frozen.js";

const PAGE = 100;

export class Problem extends Error {
  constructor(status, title, detail) {
    super(detail);
    Object.assign(this, { name: "Problem", status, title, detail, retryAfter: null });
  }
}

export function onSignInNeeded() {}

export const askSignIn = () => null;

export async function request(path) {
  const url = new URL(path, "http://report/");
  const what = url.pathname.split("/").slice(4).join("/"); // behind /api/jobs/ID
  const answer = url.searchParams.has("at") ? null : ANSWERS[what]?.(url.searchParams);
  if (!answer) throw new Problem(404, "Not in this report", "This report does not hold that.");
  return { ok: true, json: async () => structuredClone(answer) };
}

const ANSWERS = {
  "": () => frozen.job,
  series: () => ({ series: frozen.series, next: null, position: frozen.position }),
  metrics: (wanted) => ({ series: metrics(wanted), position: frozen.position }),
  messages: (wanted) => messages(wanted),
};

function metrics(wanted) {
  const [step, name, attempt, rank] = ["step", "name", "attempt", "rank"].map((key) => wanted.get(key));
  const found = (frozen.metrics[wanted.get("x")] ?? []).filter(
    (one) =>
      one.name === name &&
      one.step === step &&
      (rank === null || String(one.rank) === rank) &&
      (attempt === null || attempt === "all" || String(one.attempt) === attempt),
  );
  if (attempt !== null) return found;
  const latest = new Map();
  for (const { rank: its, attempt: number } of found) latest.set(its, Math.max(number, latest.get(its) ?? 0));
  return found.filter((one) => one.attempt === latest.get(one.rank));
}

function messages(wanted) {
  const [step, text, before, after] = ["step", "text", "before", "after"].map((key) => wanted.get(key));
  const levels = wanted.getAll("level").flatMap((each) => each.split(","));
  const found = frozen.messages.filter(
    (one) =>
      (levels.length === 0 || levels.includes(one.level)) &&
      (step === null || one.step === step) &&
      (text === null || one.content.toLowerCase().includes(text.toLowerCase())) &&
      (before === null || isAfter(before, one.position)) &&
      (after === null || isAfter(one.position, after)),
  );
  const limit = Number(wanted.get("limit") ?? PAGE);
  const shown = after === null ? found.slice(-limit) : found.slice(0, limit);
  return { messages: shown, has_more: shown.length < found.length, position: frozen.position };
}
