/** The formula of a training step's bytes against what the allocator saw. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { randomBatch } from '../../bench/harness/models.ts'
import { GPTBigCode, type TrainingShape, trainingBytes } from '../../src/models/index.ts'
import { adamW } from '../../src/optim/index.ts'
import { device } from '../../src/tensor/index.ts'
import { SingleLearner } from '../../src/train/index.ts'

async function measured(config: object, shape: TrainingShape, length: number, sequences: number) {
  const { dtype, checkpointing = false, stochasticRounding = false } = shape
  const before = device().memory().allocated
  device().resetPeak()
  using model = GPTBigCode.create(config, { dtype })
  model.checkpointing = checkpointing
  const learner = new SingleLearner(model, adamW({ lr: 1e-4, stochasticRounding }), sequences)
  await learner.step(randomBatch(model.config.vocabSize, length, sequences), 1e-4)
  await device().synchronize()
  learner.dispose()
  return device().memory().peak - before
}

const configs = {
  'multi-query': { nLayer: 3, nEmbd: 64, nHead: 4, vocabSize: 211, nPositions: 128 },
  'multi-head, narrow MLP': { nLayer: 4, nEmbd: 96, nHead: 3, vocabSize: 101, nPositions: 64, multiQuery: false, nInner: 96 },
  'one block': { nLayer: 1, nEmbd: 32, nHead: 2, vocabSize: 53, nPositions: 64 },
  'two blocks': { nLayer: 2, nEmbd: 128, nHead: 2, vocabSize: 53, nPositions: 64 },
}

for (const [name, config] of Object.entries(configs))
  for (const [dtype, stochasticRounding] of [
    ['f32', false],
    ['bf16', false],
    ['bf16', true],
  ] as const)
    for (const checkpointing of [false, true])
      test(`${name}, ${dtype}${stochasticRounding ? ', rounded stochastically' : ''}${checkpointing ? ', checkpointing' : ''}`, async () => {
        const [length, sequences] = [64, 16]
        const shape = { dtype, checkpointing, stochasticRounding, rows: length * sequences }
        const { total, activations } = trainingBytes(config, shape)
        const found = await measured(config, shape, length, sequences)
        assert.ok(activations > 0.3 * total, 'activations matter in this case')
        assert.ok(Math.abs(found / total - 1) < 0.03, `${found} bytes at the peak, ${total} by the formula (${found / total})`)
      })

test.run()
