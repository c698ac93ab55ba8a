/**
 * The newest metrics events that came live, so that an answer of the API, which may lag behind the
 * live stream, can be completed: no point is lost between the two, and none is there twice.
 */

import { isAfter, laterOf } from "../lib/positions.js";

const MOST_EVENTS = 4_000;

export class Recent {
  #events = [];

  constructor() {
    /** Everything behind this position is held; null as long as nothing is known. */
    this.floor = null;
  }

  /** The stream may be followed from `position` on only: what lies before it does not come live. */
  beginAt(position) {
    if (!this.#events.length) this.floor = laterOf(position, this.floor);
  }

  push(recorded) {
    this.floor ??= recorded.position; // whether others came before it is not known
    this.#events.push(recorded);
    if (this.#events.length >= 2 * MOST_EVENTS) {
      const dropped = this.#events.splice(0, MOST_EVENTS);
      this.floor = dropped.at(-1).position;
    }
  }

  /** Forget everything: what was left out lies before `position`. */
  restartAt(position) {
    this.#events = [];
    this.floor = position;
  }

  /** Tell whether nothing is missing behind `position`. */
  covers(position) {
    return this.floor === null || !isAfter(this.floor, position);
  }

  after(position) {
    let begin = this.#events.length;
    while (begin > 0 && isAfter(this.#events[begin - 1].position, position)) begin -= 1;
    return this.#events.slice(begin);
  }
}
