/** A whole training step of StarCoderBase-1B's shape: forward, loss, backward, clipping, AdamW. */
import { AuroraError } from '../../src/errors.ts'
import { GPTBigCode, parameterCount } from '../../src/models/index.ts'
import { adamW } from '../../src/optim/index.ts'
import { Learner } from '../../src/train/learner.ts'
import { randomBatch, shapes } from '../harness/models.ts'
import type { Row } from '../harness/report.ts'
import { type Bench, type Case, contest } from './measure.ts'

export async function measureStep(bench: Bench): Promise<Row[]> {
  const { device, quick, stated } = bench
  const { name, config } = quick ? shapes.tiny : shapes['1B']
  const [length, batch] = quick ? [16, 1] : [2048, 4]
  const rows: Row[] = []
  for (const stochasticRounding of [false, true]) {
    const what = `bf16 training step, ${name}, ${batch} × ${length} tokens${stochasticRounding ? ', rounded stochastically' : ''}`
    if (!bench.wanted(what)) continue
    using model = GPTBigCode.create({ ...config, nPositions: length }, { dtype: 'bf16', device })
    const learner = new Learner(model, adamW({ lr: 1e-4, stochasticRounding }), batch)
    try {
      const tokens = randomBatch(config.vocabSize, length, batch)
      const run = async () => {
        await device.synchronize()
        const started = performance.now()
        await learner.step(tokens, 1e-4)
        await device.synchronize()
        return (performance.now() - started) / 1000
      }
      const { nLayer, nEmbd, nHead, vocabSize } = config
      const one: Case = {
        what,
        of: 'bf16',
        flops: tokens.tokens * model.flopsPerToken(length),
        // The optimizer's pass; the rest is arithmetic.
        bytes: parameterCount(model.config) * (stochasticRounding ? 24 : 30),
        work: () => {},
        ...(stochasticRounding ? {} : { peer: `step bf16 ${nLayer} ${nEmbd} ${nHead} ${vocabSize} ${length} ${batch}` }),
      }
      const row = await contest(bench, one, 1, quick ? 1 : 5, run)
      const peak = stated?.bf16
      rows.push({
        ...row,
        numbers: {
          'tokens/s': tokens.tokens / row.time!.median,
          ...(peak ? { 'MFU, %': (100 * one.flops!) / row.time!.median / peak } : {}),
          ...row.numbers,
        },
      })
    } catch (error) {
      if (!(error instanceof AuroraError) || error.code !== 'ERR_NOT_SUPPORTED') throw error
      bench.note(`${what}: ${device.name} does not have ${error.found}`)
    } finally {
      learner.dispose()
    }
  }
  return rows
}
