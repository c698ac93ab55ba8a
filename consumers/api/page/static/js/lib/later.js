/** Actions that wait: each key once at a time, all given up together. */
export class Later {
  #timers = new Map();

  /** Do `action` in so many milliseconds, unless one of that key waits already. */
  in(milliseconds, key, action) {
    if (this.#timers.has(key)) return;
    const run = () => {
      this.#timers.delete(key);
      action();
    };
    this.#timers.set(key, setTimeout(run, milliseconds));
  }

  giveUp() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
