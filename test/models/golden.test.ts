import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Tape } from '../../src/autograd/index.ts'
import { Decoder, GPTBigCode } from '../../src/models/index.ts'
import { AdamW, adamW, clipScale } from '../../src/optim/index.ts'
import { scope } from '../../src/tensor/index.ts'
import { generation, goldenFolder, goldenTensors, trainingRows, trajectoryRows } from '../support/golden.ts'
import { relativeError, sum } from '../support/reference.ts'

const expected = await goldenTensors('expected')
const trajectory = await goldenTensors('trajectory')
const rows = trainingRows(expected.get('input_ids') as Int32Array, expected.get('target_ids') as Int32Array, 3)

/**
 * Largest errors allowed. logits, gradient: relative; loss and trajectory (of each of its losses): absolute; norm: relative.
 * Measured with AVX2 kernels: f32 2e-7, 5e-7, 2e-7, 2e-6, 1e-6; bf16 4.5e-3, 9e-3, 8e-5, 1e-3, 1e-2. The limits of bf16 leave
 * room for other orders of summation.
 */
const allowed = {
  f32: { logits: 2e-5, gradient: 2e-5, loss: 1e-5, trajectory: 1e-4, norm: 1e-4 },
  bf16: { logits: 0.01, gradient: 0.02, loss: 1e-3, trajectory: 5e-3, norm: 0.03 },
} as const

for (const dtype of ['f32', 'bf16'] as const) {
  test(`${dtype}: logits, loss and every gradient`, async () => {
    const model = await GPTBigCode.fromPretrained(goldenFolder, { dtype })
    const gradients = model.parameters.attachGradients()
    await scope(async () => {
      const logits = await model.logits(model.hidden(rows)).read()
      const error = relativeError(logits, expected.get('logits')!)
      console.log(`${dtype} logits ${error.toExponential(2)}`)
      assert.ok(error < allowed[dtype].logits, `logits: ${error}`)
      for (const checkpointing of [false, true]) {
        model.checkpointing = checkpointing
        gradients.zero()
        const tape = new Tape()
        const losses = tape.run(() => model.losses(rows))
        tape.backward(losses)
        const loss = sum(await losses.read()) / losses.size
        assert.ok(Math.abs(loss - expected.get('loss')![0]!) < allowed[dtype].loss, `loss ${loss}`)
        let worst = 0
        for (const parameter of model.parameters.parameters) {
          const error = relativeError(await parameter.gradient!.read(), expected.get(`grad.${parameter.name}`)!)
          worst = Math.max(worst, error)
          assert.ok(error < allowed[dtype].gradient, `gradient of ${parameter.name}: ${error}`)
        }
        console.log(
          `${dtype} loss ${Math.abs(loss - expected.get('loss')![0]!).toExponential(2)} gradients ${worst.toExponential(2)}`,
        )
      }
    })
    model.dispose()
  })

  test(`${dtype}: thirty steps of AdamW, then greedy generation`, async () => {
    const model = await GPTBigCode.fromPretrained(goldenFolder, { dtype })
    const gradients = model.parameters.attachGradients()
    const optimizer = new AdamW(
      model.parameters,
      gradients,
      adamW({ lr: 1e-3, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0.1, clip: 1 }),
    )
    const [losses, norms] = [trajectory.get('losses')!, trajectory.get('grad_norms')!]
    let [worstLoss, worstNorm] = [0, 0]
    for (let step = 0; step < losses.length; step++) {
      const tape = new Tape()
      gradients.zero()
      const perRow = tape.run(() => model.losses(trajectoryRows(trajectory.get('batches') as Int32Array, step)))
      tape.backward(perRow)
      const loss = sum(await perRow.read()) / perRow.size
      perRow.dispose()
      const norm = await gradients.norm()
      optimizer.step(optimizer.options.lr.at(step), clipScale(norm, optimizer.options.clip))
      worstLoss = Math.max(worstLoss, Math.abs(loss - losses[step]!))
      worstNorm = Math.max(worstNorm, Math.abs(norm / norms[step]! - 1))
      assert.ok(
        Math.abs(loss - losses[step]!) < allowed[dtype].trajectory,
        `step ${step}: loss ${loss}, expected ${losses[step]}`,
      )
      if (dtype === 'f32')
        assert.ok(Math.abs(norm / norms[step]! - 1) < 1e-3, `step ${step}: norm ${norm}, expected ${norms[step]}`)
    }
    console.log(`${dtype} trajectory losses ${worstLoss.toExponential(2)} norms ${worstNorm.toExponential(2)}`)
    const tokens = await generateGreedily(model, generation.prompt, generation.greedy_after_trajectory.length)
    if (dtype === 'f32') assert.equal(tokens, generation.greedy_after_trajectory)
    optimizer.dispose()
    model.dispose()
  })
}

function generateGreedily(model: GPTBigCode, prompt: number[], length: number): Promise<number[]> {
  return scope(async () => {
    const decoder = new Decoder(model, { batch: 1, length })
    const tokens = [...prompt]
    let logits = decoder.prefill([prompt])
    for (;;) {
      const values = await logits.read()
      tokens.push(values.indexOf(Math.max(...values)))
      if (tokens.length === length) break
      logits = decoder.step([tokens.at(-1)!])
    }
    decoder.dispose()
    return tokens
  })
}

test.run()
