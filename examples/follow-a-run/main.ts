/**
 * Sends a run's metrics to a tracking service, as one would to Weights & Biases: a callback that posts JSON, here to a little
 * server in this process. Run it with `npx tsx examples/follow-a-run/main.ts`.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { adamW, type Callback, GPTBigCode, memoryDataset, mixture, stage, Trainer } from 'aurora-m'

const received: Record<string, unknown>[] = []
const service = createServer(async (request, response) => {
  received.push((await json(request)) as Record<string, unknown>)
  response.end()
})
await new Promise<void>(ready => service.listen(0, '127.0.0.1', ready))
const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`

/** Training does not wait for the service; what it failed to take is counted and told at the end. */
function tracker(url: string): Callback {
  const sent: Promise<unknown>[] = []
  let lost = 0
  const post = (event: string, body: object) => {
    const request = fetch(url, { method: 'POST', body: JSON.stringify({ event, ...body }) }).catch(() => lost++)
    sent.push(request)
  }
  return {
    onStart: ({ config, totalSteps }) => post('start', { config, totalSteps }),
    onStep: ({ step, loss, lossByDomain, lr, gradNorm }) => post('step', { step, loss, lossByDomain, lr, gradNorm }),
    async onEnd({ reason, step }) {
      post('end', { reason, step })
      await Promise.all(sent)
      if (lost > 0) console.error(`${lost} messages were lost`)
    },
  }
}

const model = GPTBigCode.create({ vocabSize: 64, nPositions: 32, nEmbd: 32, nLayer: 1, nHead: 2 }, { seed: 1 })
const counting = memoryDataset(
  Array.from({ length: 16 }, (_, i) => Array.from({ length: 40 }, (_, j) => (i + j) % 64)),
  'counting',
)
const trainer = new Trainer({
  model,
  optimizer: adamW({ lr: 1e-2 }),
  batch: { sequences: 4, length: 32 },
  curriculum: [stage('count', { steps: 20, data: mixture({ counting }) })],
  callbacks: [tracker(url)],
  peak: 'none',
})
for await (const _ of trainer.run()) {
  // The callback follows the steps.
}
model.dispose()
service.close()
const steps = received.filter(({ event }) => event === 'step')
console.log(`the service got ${steps.length} steps; loss ${steps[0]?.loss} → ${steps.at(-1)?.loss}`)
