/** What this browser keeps for its reader, over all runs: JSON by name, gone with the browser's data. */

const PREFIX = "synapse-stream ";

/** Return what was kept under `name`; `otherwise` when there is nothing, or nothing may be kept. */
export function kept(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Keep `value` under `name`, for as long as the browser lets it. */
export function keep(name, value) {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // it serves this page all the same
  }
}
