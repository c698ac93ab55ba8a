// The example of docs/streams.md, as it stands there.
import { test } from "vitest"

test("the example reports a run and follows it to its end", async () => {
  await import("./durable_streams.ts")
})
