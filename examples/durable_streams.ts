// Reports a run from TypeScript, exactly once, and follows it: npm install @durable-streams/client
import { DurableStream, IdempotentProducer, stream } from "@durable-streams/client"

const { STREAMS_URL = "http://127.0.0.1:8420", JOB = "from-typescript", TOKEN } = process.env
const url = `${STREAMS_URL}/v1/stream/${JOB}`
const headers: Record<string, string> = TOKEN ? { Authorization: `Bearer ${TOKEN}` } : {}

interface Recorded {
  type: string
  seq: number
  time: number // microseconds since the epoch
  values?: Record<string, number>
}

async function report(): Promise<void> {
  const job = await DurableStream.create({ url, headers, contentType: "application/json" })
  // It numbers its requests and sends again what was not answered: nothing is lost, nothing comes twice.
  const writer = new IdempotentProducer(job, "trainer-1", { autoClaim: true })
  for (let epoch = 1; epoch <= 3; epoch++) {
    writer.append(JSON.stringify({ type: "progress", current: epoch, total: 3, step: "train" }))
    writer.append(JSON.stringify({ type: "metrics", values: { loss: 1 / epoch }, x: epoch, step: "train" }))
  }
  writer.append(JSON.stringify({ type: "message", content: "the model is trained" }))
  await writer.flush()
  await writer.close() // with `Stream-Closed`: the run is completed
}

async function follow(): Promise<void> {
  const events = await stream<Recorded>({ url, headers, offset: "-1", live: "long-poll" })
  for await (const event of events.jsonStream()) {
    console.log(event.seq, event.type, event.values ?? "")
  }
}

await report()
await follow() // ends with the run; what Python reports is followed in the same way
