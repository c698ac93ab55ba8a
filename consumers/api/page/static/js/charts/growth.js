/** What comes live, added to the views of the cards that are seen; what only the API knows is asked for again. */

import { Later } from "../lib/later.js";
import { isAfter, laterOf } from "../lib/positions.js";
import { appendPoint, finish, pointOf } from "./metricsource.js";
import { Recent } from "./recent.js";

const MOST_LIVE_POINTS = 2_000;
const CATCH_UP_MS = 1_500;
const CATCH_UP_BAND_MS = 5_000; // many series have to be read for it

export class Growth {
  #recent = new Recent();
  #grown = new Set();
  #frame = 0;
  #later = new Later();
  #isChosen;

  /** `isChosen(view, {attempt, rank})` tells whether a view shows a line of theirs. */
  constructor(isChosen) {
    this.#isChosen = isChosen;
  }

  destroy() {
    cancelAnimationFrame(this.#frame);
    this.#later.giveUp();
  }

  /** Nothing known may be true any more. */
  forget(cards) {
    this.#recent = new Recent();
    for (const card of cards) card.owed = card.position = null;
  }

  /** The stream begins behind `position`: what lies up to there only the API can tell. */
  startAt(position, cards) {
    for (const card of cards) {
      // without a view its answer is on the way
      if (!card.view) card.owed = laterOf(position, card.owed ?? null);
      else if (isAfter(position, card.position ?? null)) this.#owe(card, position);
    }
  }

  /** Everything behind the run state's `position` comes live. */
  beginAt(position) {
    this.#recent.beginAt(position);
  }

  push(recorded) {
    this.#recent.push(recorded);
  }

  /** The stream left events out up to `until`. */
  leaveOut(until, cards) {
    this.#recent.restartAt(until);
    for (const card of cards) this.#owe(card, until);
  }

  /** Add what a recorded event has of the card's metric. */
  grow(card, recorded, name) {
    if (!card.isVisible) card.refresh(); // when it is seen again
    if (!card.isVisible || !card.view || card.isLoading) return; // an answer is completed when it comes
    if (!isAfter(recorded.position, card.position)) return; // the answer had it
    if (!this.#append(card.view, recorded, name)) {
      this.#owe(card, recorded.position);
      return;
    }
    if (card.view.lines.some(({ line }) => line.liveCount > MOST_LIVE_POINTS || !line.isOrdered)) {
      this.#owe(card, recorded.position);
    }
    this.#grown.add(card);
    this.#frame ||= requestAnimationFrame(() => this.#redraw());
  }

  /** Add what came live behind the position of an answer; what is not known here must be asked for again. */
  complete(metric, card, view) {
    card.position = view.position;
    if (view.until !== null) return;
    for (const recorded of this.#recent.after(view.position)) {
      const { event } = recorded;
      if ((event.step ?? null) !== metric.step || !Object.hasOwn(event.values, metric.name)) continue;
      if (!this.#append(view, recorded, metric.name)) card.owed = laterOf(recorded.position, card.owed);
    }
    finish(view);
    if (!this.#recent.covers(view.position)) card.owed = laterOf(this.#recent.floor, card.owed);
    if (isAfter(card.owed, view.position)) this.#owe(card, card.owed);
  }

  #redraw() {
    this.#frame = 0;
    for (const card of this.#grown) {
      finish(card.view);
      card.redraw();
    }
    this.#grown.clear();
  }

  /** Add a live point to a view; returns false when only the API knows where it belongs. */
  #append(view, { event, attempt, rank }, name) {
    const home = { attempt, rank };
    return this.#isChosen(view, home) && appendPoint(view, home, pointOf(event, name));
  }

  /** Have a card ask the API again until its answer holds `position`. */
  #owe(card, position) {
    card.owed = laterOf(position, card.owed);
    this.#later.in(card.view?.isBand ? CATCH_UP_BAND_MS : CATCH_UP_MS, card, () => card.refresh());
  }
}
