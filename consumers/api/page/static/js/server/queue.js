/** A few requests at a time: a browser has six connections to a server, and the live stream holds one. */

const MOST_AT_ONCE = 4;

let running = 0;
const waiting = [];

/** Run `task` as soon as there is room; what was asked last comes first, since that is in view. */
export function enqueue(task, signal) {
  return new Promise((resolve, reject) => {
    waiting.push({ task, signal, resolve, reject });
    next();
  });
}

function next() {
  if (running >= MOST_AT_ONCE || !waiting.length) return;
  const { task, signal, resolve, reject } = waiting.pop();
  if (signal.aborted) {
    reject(signal.reason);
    next();
    return;
  }
  running += 1;
  task()
    .then(resolve, reject)
    .finally(() => {
      running -= 1;
      next();
    });
}
