/** Generation token by token, which reads every weight for every step: against the bandwidth of reading. */
import { Decoder, GPTBigCode, parameterCount } from '../src/models/index.ts'
import { sample } from '../src/ops/index.ts'
import { elementBytes, scope, type Tensor } from '../src/tensor/index.ts'
import { measure } from './harness/measure.ts'
import { shapes } from './harness/models.ts'
import type { Question, Setting } from './harness/question.ts'
import { atLeast, type Row } from './harness/report.ts'

const prompt = 128
/** Tokens of one timed run. */
const steps = 8
const target = 0.75

export const decode: Question = {
  name: 'decode',
  asks: 'greedy generation after a prompt of 128 tokens, bf16: bytes of weights and cache read for each step, against reading alone',
  answer: async setting => {
    const rows: Row[] = []
    const shape = setting.quick ? shapes.tiny : shapes['1B']
    using model = GPTBigCode.create({ ...shape.config, nPositions: 1024 }, { dtype: 'bf16', device: setting.device })
    for (const batch of [1, 4, 16]) {
      const what = `bf16 ${shape.name}, batch ${batch}`
      if (setting.wanted(what)) rows.push(await ask(setting, model, what, batch))
    }
    return rows
  },
}

async function ask(setting: Setting, model: GPTBigCode, what: string, batch: number): Promise<Row> {
  const repeats = setting.quick ? 3 : 7
  using decoder = new Decoder(model, { batch, length: prompt + steps * (repeats + 1) })
  const prompts = Array.from({ length: batch }, (_, b) => Int32Array.from({ length: prompt }, (_, t) => (31 * b + 7 * t) % 400))
  let tokens = await best(decoder.prefill(prompts))
  const run = async () => {
    const started = performance.now()
    for (let step = 0; step < steps; step++) tokens = await best(decoder.step(tokens))
    return (performance.now() - started) / 1000
  }
  const bytes = bytesPerStep(model, batch, prompt + (steps * (repeats + 1)) / 2)
  const row = await measure(setting, { what, of: 'read', amount: steps * bytes, run, repeats })
  return {
    ...row,
    numbers: {
      'tokens/s': (steps * batch) / row.time.median,
      'ms a step': (1000 * row.time.median) / steps,
      'GB a step': bytes / 1e9,
      ...row.numbers,
    },
    targets: batch === 1 ? [atLeast('of bandwidth', target, row.share.value, '%')] : [],
  }
}

/** The most likely token of each row; disposes of the logits. */
async function best(logits: Tensor): Promise<Int32Array> {
  return (await scope(async () => {
    const tokens = await sample(logits).tokens.read()
    logits.dispose()
    return tokens
  })) as Int32Array
}

/** All parameters but the position table (the head reads the whole token table), and the keys and values of `length` tokens. */
function bytesPerStep({ config, dtype, heads }: GPTBigCode, batch: number, length: number): number {
  const weights = parameterCount(config) - config.nPositions * config.nEmbd
  const cache = batch * length * config.nLayer * 2 * heads.keyHeads * heads.width
  return (weights + cache) * elementBytes[dtype]
}
