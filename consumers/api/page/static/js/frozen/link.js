/** Stands in a report for `server/link.js`: there is no stream. */

export class TabStream {
  position = null;

  constructor(_job, { onConnection }) {
    queueMicrotask(() => onConnection("frozen", null));
  }

  close() {}
}

export function wakeStreams() {}
