/** What an operation costs apart from its arithmetic: the call from TypeScript, and a whole pass of a model that computes next to nothing. */
import { noGrad, Tape } from '../src/autograd/index.ts'
import { GPTBigCode } from '../src/models/index.ts'
import { native } from '../src/native.ts'
import { add, cast, layerNorm, linear, multiQueryAttention } from '../src/ops/index.ts'
import { scope, type Tensor, tensor, zeros } from '../src/tensor/index.ts'
import { randomBatch, shapes } from './harness/models.ts'
import type { Question, Setting } from './harness/question.ts'
import { atMost, type Row } from './harness/report.ts'
import { spreadOf } from './harness/timing.ts'

/** Microseconds an operation. */
const target = 5

export const overhead: Question = {
  name: 'overhead',
  asks: 'microseconds an operation: of the call alone, by kind, and of a tiny model’s forward and backward pass (8 tokens, width 64)',
  answer: async setting => {
    // Some operations keep the caller's stack, which is dearer with the source maps that run this file than in the built package.
    process.setSourceMapsEnabled(false)
    try {
      const rows = [...(await calls(setting)), ...(await tinyModel(setting))]
      return rows.filter(({ what }) => setting.wanted(what))
    } finally {
      process.setSourceMapsEnabled(true)
    }
  },
}

/** Enqueueing only: the loop is timed, the work is waited for untimed. */
async function calls({ device, quick }: Setting): Promise<Row[]> {
  return scope(async () => {
    const x = zeros([8, 8], { device })
    const y = zeros([8, 8], { device })
    const weight = zeros([8, 8], { device })
    const vector = zeros([8], { device })
    const qkv = zeros([8, 24], { device })
    const firstRow = tensor(new Int32Array(8), [8], { device })
    const layout = { heads: 1, keyHeads: 1, width: 8 }
    const operations: Record<string, () => unknown> = {
      'the native call alone (add)': () => native.add(x.id, 1, y.id, 1, weight.id),
      'a tensor made and disposed of': () => zeros([8, 8], { device }),
      add: () => add(x, y),
      cast: () => cast(x, 'bf16'),
      linear: () => linear(x, weight, vector),
      layerNorm: () => layerNorm(x, vector, vector),
      multiQueryAttention: () => multiQueryAttention(qkv, firstRow, layout),
      'add, recorded and differentiated': recorded(x, () => add(x, y)),
      'linear, recorded and differentiated': recorded(x, () => linear(x, weight, vector)),
    }
    const rows: Row[] = []
    const [repeats, count] = quick ? [5, 50] : [30, 500]
    for (const [name, operation] of Object.entries(operations)) {
      const seconds: number[] = []
      for (let repeat = -5; repeat < repeats; repeat++) {
        const started = performance.now()
        for (let call = 0; call < count; call++) noGrad(() => scope(() => void operation()))
        if (repeat >= 0) seconds.push((performance.now() - started) / 1000 / count)
        await device.synchronize()
      }
      const time = spreadOf(seconds)
      const isPair = name.includes('differentiated')
      const each = time.median / (isPair ? 2 : 1)
      rows.push({ what: `call: ${name}`, time, targets: [atMost('an operation', target, 1e6 * each, 'µs')] })
    }
    return rows
  })
}

/** An operation and its backward pass. */
function recorded(x: Tensor, operation: () => Tensor): () => void {
  return () => {
    const tape = new Tape()
    tape.watch(x)
    tape.backward(tape.run(operation))
    tape.dispose()
  }
}

async function tinyModel({ device, quick }: Setting): Promise<Row[]> {
  using model = GPTBigCode.create({ ...shapes.tiny.config, nPositions: 8 }, { device })
  model.parameters.attachGradients()
  const [micro] = randomBatch(model.config.vocabSize, 8, 1).microBatches(1)
  const pass = () =>
    scope(() => {
      const tape = new Tape()
      tape.backward(tape.run(() => model.losses(micro!)))
      tape.dispose()
    })
  const watch = watchNative()
  const [enqueued, finished]: [number[], number[]] = [[], []]
  const repeats = quick ? 10 : 100
  try {
    for (let repeat = -repeats; repeat < 2 * repeats; repeat++) {
      // The first part warms up, the second is timed whole, the third call by call.
      if (repeat === repeats) watch.start()
      const started = performance.now()
      pass()
      const called = performance.now()
      await device.synchronize()
      if (repeat < 0 || repeat >= repeats) continue
      enqueued.push((called - started) / 1000)
      finished.push((performance.now() - started) / 1000)
    }
  } finally {
    watch.stop()
  }
  const operations = [...watch.calls].filter(([name]) => !['alloc', 'view', 'free', 'write', 'synchronize'].includes(name))
  const count = operations.reduce((sum, [, spent]) => sum + spent.length, 0) / repeats
  const inNative = [...watch.calls].map(([name, spent]) => ({ name, count: spent.length / repeats, time: spreadOf(spent) }))
  const each = (seconds: number) => (1e6 * seconds) / count
  const whole = spreadOf(finished)
  const enqueue = spreadOf(enqueued)
  return [
    {
      what: 'tiny model: pass until it has run',
      time: whole,
      numbers: { 'in a pass': count, 'µs each': each(whole.median) },
      targets: [atMost('an operation', target, each(whole.median), 'µs')],
    },
    {
      what: 'tiny model: pass enqueued',
      time: enqueue,
      numbers: { 'in a pass': count, 'µs each': each(enqueue.median) },
      targets: [atMost('an operation', target, each(enqueue.median), 'µs')],
    },
    ...inNative
      .filter(({ name }) => name !== 'synchronize')
      .sort((a, b) => b.count * b.time.median - a.count * a.time.median)
      .map(({ name, count, time }) => ({
        what: `tiny model: native ${name}`,
        time,
        numbers: { 'in a pass': count, 'µs each': 1e6 * time.median },
      })),
  ]
}

/** Times every call of a native function from `start` to `stop`. */
function watchNative() {
  const functions = native as unknown as Record<string, (...args: unknown[]) => unknown>
  const originals = { ...functions }
  const calls = new Map<string, number[]>()
  const start = () => {
    for (const [name, original] of Object.entries(originals)) {
      functions[name] = (...args) => {
        const started = performance.now()
        const result = original(...args)
        const seconds = (performance.now() - started) / 1000
        const spent = calls.get(name)
        if (spent) spent.push(seconds)
        else calls.set(name, [seconds])
        return result
      }
    }
  }
  return { calls, start, stop: () => void Object.assign(functions, originals) }
}
