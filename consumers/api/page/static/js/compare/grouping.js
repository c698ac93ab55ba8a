/** Runs in groups, by what they have in a respect in which they differ. */

import { STYLES } from "../charts/palette.js";
import { oneLine } from "../lib/format.js";
import { valueText } from "./differences.js";

/** Return what runs can be grouped by: `[name, words]` pairs. */
export function groupings(compared) {
  const rows = compared?.rows.filter(({ kind }) => kind === "params" || kind === "labels") ?? [];
  return [["", "each run"], ["all", "all together"], ...rows.map((row) => [nameOf(row), oneLine(row.name, 60)])];
}

/** Return the groups of `by`, each `{number, label, runs}`, and how many runs are in none: groups are eight at most. */
export function groupsOf(runs, compared, by) {
  const row = compared?.rows.find((one) => nameOf(one) === by);
  if (by === "all") return { groups: [{ number: 0, label: "all", runs }], leftOut: 0 };
  if (!row) return { groups: runs.map((run) => ({ number: run.number, label: run.label, runs: [run] })), leftOut: 0 };
  const valueOf = (run) => valueText(row.values[compared.jobs.indexOf(run.id)]);
  const all = [...Map.groupBy(runs, valueOf)].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
  const groups = all
    .slice(0, STYLES)
    .map(([value, own], number) => ({ number, label: `${row.name} ${value}`, runs: own }));
  return { groups, leftOut: all.slice(STYLES).reduce((count, [, own]) => count + own.length, 0) };
}

const nameOf = ({ kind, name }) => `${kind}.${name}`;
