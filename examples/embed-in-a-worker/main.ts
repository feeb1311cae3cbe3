/**
 * A library that embeds the trainer: training runs in a worker thread of its own, its progress arrives as messages, and the host
 * stops it when it has seen enough. Run it with `npx tsx examples/embed-in-a-worker/main.ts`.
 */
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { adamW, GPTBigCode, memoryDataset, mixture, stage, Trainer } from 'aurora-m'

type Message = { step: number; loss: number } | { done: number }

if (isMainThread) {
  // A worker does not inherit the loader of TypeScript; a built library would name its .js file here.
  const worker = new Worker(
    `import('tsx/esm/api').then(({ tsImport }) => tsImport(${JSON.stringify(fileURLToPath(import.meta.url))}, ${JSON.stringify(import.meta.url)}))`,
    { eval: true },
  )
  worker.on('message', (message: Message) => {
    if ('done' in message) console.log(`stopped after step ${message.done}`)
    else {
      if (message.step % 10 === 0) console.log(`step ${message.step}  loss ${message.loss.toFixed(3)}`)
      if (message.loss < 1) worker.postMessage('enough')
    }
  })
  worker.on('error', error => {
    console.error(error)
    process.exitCode = 1
  })
} else {
  const stop = new AbortController()
  parentPort!.once('message', () => stop.abort())
  const model = GPTBigCode.create({ vocabSize: 32, nPositions: 32, nEmbd: 32, nLayer: 1, nHead: 2 }, { seed: 1 })
  const counting = memoryDataset(
    Array.from({ length: 8 }, (_, i) => Array.from({ length: 64 }, (_, j) => (i + 3 * j) % 32)),
    'counting',
  )
  const trainer = new Trainer({
    model,
    optimizer: adamW({ lr: 1e-2 }),
    batch: { sequences: 4, length: 32 },
    curriculum: [stage('count', { steps: 10_000, data: mixture({ counting }) })],
    peak: 'none',
  })
  let last = 0
  for await (const { step, loss } of trainer.run({ signal: stop.signal })) {
    parentPort!.postMessage({ step, loss } satisfies Message)
    last = step
  }
  model.dispose()
  parentPort!.postMessage({ done: last } satisfies Message)
}
