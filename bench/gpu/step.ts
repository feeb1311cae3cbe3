/** A whole training step of StarCoderBase-1B's shape: forward, loss, backward, clipping, AdamW. */
import { AuroraError } from '../../src/errors.ts'
import { GPTBigCode, parameterCount } from '../../src/models/index.ts'
import { adamW } from '../../src/optim/index.ts'
import { SingleLearner } from '../../src/train/learner.ts'
import { randomBatch, shapes } from '../harness/models.ts'
import type { Row } from '../harness/report.ts'
import { type Contender, interleave, spreadOf } from '../harness/timing.ts'
import { type Bench, contest } from './measure.ts'

export async function measureStep(bench: Bench): Promise<Row[]> {
  const { device, quick, peer } = bench
  const { name, config } = quick ? shapes.tiny : shapes['1B']
  const [length, batch] = quick ? [16, 1] : [2048, 4]
  const repeats = quick ? 1 : 5
  const rows: Row[] = []
  for (const stochasticRounding of [false, true]) {
    const what = `bf16 training step, ${name}, ${batch} × ${length} tokens${stochasticRounding ? ', rounded stochastically' : ''}`
    if (!bench.wanted(what)) continue
    try {
      rows.push(await ourStep(bench, what, { ...config, nPositions: length }, { length, batch, repeats, stochasticRounding }))
    } catch (error) {
      if (!(error instanceof AuroraError) || error.code !== 'ERR_NOT_SUPPORTED') throw error
      bench.note(`${what}: ${device.name} does not have ${error.found}`)
    }
    await device.trim()
  }
  const [row] = rows
  if (peer && row?.time) {
    // One after the other: a GPU's memory need not hold two such models.
    const { nLayer, nEmbd, nHead, vocabSize } = config
    const theirs = peer.contender(`step bf16 ${nLayer} ${nEmbd} ${nHead} ${vocabSize} ${length} ${batch}`, 1)
    const spread = spreadOf((await interleave([theirs satisfies Contender], repeats)).get(theirs.name)!)
    row.peers = { [theirs.name]: { ...spread, ratio: spread.median / row.time.median } }
  }
  return rows
}

interface Settings {
  length: number
  batch: number
  repeats: number
  stochasticRounding: boolean
}

async function ourStep(
  bench: Bench,
  what: string,
  config: Parameters<typeof GPTBigCode.create>[0] & { vocabSize: number },
  { length, batch, repeats, stochasticRounding }: Settings,
): Promise<Row> {
  const { device, stated } = bench
  using model = GPTBigCode.create(config, { dtype: 'bf16', device })
  const learner = new SingleLearner(model, adamW({ lr: 1e-4, stochasticRounding }), batch)
  try {
    const tokens = randomBatch(config.vocabSize, length, batch)
    const flops = tokens.tokens * model.flopsPerToken(length)
    // The optimizer's pass; the rest is arithmetic.
    const bytes = parameterCount(model.config) * (stochasticRounding ? 24 : 30)
    const row = await contest(bench, { what, of: 'bf16', flops, bytes }, 1, repeats, async () => {
      await device.synchronize()
      const started = performance.now()
      await learner.step(tokens, 1e-4)
      await device.synchronize()
      return (performance.now() - started) / 1000
    })
    const { median } = row.time!
    return {
      ...row,
      numbers: {
        'tokens/s': tokens.tokens / median,
        ...(stated ? { 'MFU, %': (100 * flops) / median / stated.bf16 } : {}),
        ...row.numbers,
      },
    }
  } finally {
    learner.dispose()
  }
}
