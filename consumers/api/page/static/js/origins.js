/** Which attempt and rank the events of a producer belong to: the lines themselves do not say it. */

import { getJson, jobPath, query } from "./api.js";

const PAGE = 1000;

export class Origins {
  #starts = new Map(); // rank → its newest attempt
  #homes = new Map(); // producer → {attempt, rank}

  /** Read who has begun so far. Until then everything belongs to rank 0, as what has no beginning does. */
  async load(jobId, signal) {
    for (let after = null; ; ) {
      const found = await getJson(jobPath(jobId, `/events${query({ type: "run_started", limit: PAGE, after })}`), { signal });
      for (const recorded of found.events) this.note(recorded);
      if (found.next === null) return;
      after = found.next;
    }
  }

  /** Take a recorded event; return it with `attempt` and `rank`. */
  note(recorded) {
    const { event, producer } = recorded;
    if (event.type === "run_started") this.#begin(producer, event, recorded.position);
    const home = this.#homes.get(producer) ?? { attempt: this.#starts.get(0) ?? 1, rank: 0 };
    return { ...recorded, ...home };
  }

  #begin(producer, event, position) {
    const rank = event.rank ?? 0;
    const known = this.#homes.get(producer);
    if (known?.since === position) return; // read by both ways
    const attempt = event.attempt ?? (this.#starts.get(rank) ?? 0) + 1;
    this.#starts.set(rank, Math.max(this.#starts.get(rank) ?? 0, attempt));
    this.#homes.set(producer, { attempt, rank, since: position });
  }
}
