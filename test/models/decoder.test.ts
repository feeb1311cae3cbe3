import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Decoder, GPTBigCode, type GPTBigCodeConfig, rowsOf } from '../../src/models/index.ts'
import { device, scope } from '../../src/tensor/index.ts'
import { random, seed } from '../support/derivatives.ts'
import { relativeError } from '../support/reference.ts'

const small: Partial<GPTBigCodeConfig> = { vocabSize: 53, nPositions: 16, nEmbd: 32, nLayer: 2, nHead: 4, initializerRange: 0.3 }
const draw = (length: number) => Int32Array.from({ length }, () => random.below(53))

/** Decoding multiplies few rows at a time, in another order than a batch does. */
const tolerance = { f32: 1e-5, bf16: 3e-2 } as const

for (const dtype of ['f32', 'bf16'] as const) {
  for (const multiQuery of [true, false]) {
    test(`${dtype}, multiQuery ${multiQuery}: ragged prompts and steps give the logits of the full forward pass`, () =>
      scope(async () => {
        const model = GPTBigCode.create({ ...small, multiQuery }, { dtype, seed })
        const sequences = [draw(11), draw(6), draw(16)]
        const prompts = [7, 1, 12]
        const full = await Promise.all(sequences.map(sequence => model.logits(model.hidden(rowsOf([sequence]))).read()))
        const decoder = new Decoder(model, { batch: 3 })
        const check = async (logits: Float32Array, b: number, place: number) => {
          const error = relativeError(logits.subarray(b * 53, (b + 1) * 53), full[b]!.subarray(place * 53, (place + 1) * 53))
          assert.ok(error < tolerance[dtype], `sequence ${b} at ${place}: relative error ${error}, seed ${seed}`)
        }
        // Twice: a second prefill starts over.
        for (let round = 0; round < 2; round++) {
          const first = (await decoder
            .prefill(sequences.map((sequence, b) => sequence.subarray(0, prompts[b])))
            .read()) as Float32Array
          for (let b = 0; b < 3; b++) await check(first, b, prompts[b]! - 1)
          for (let step = 0; step < 5; step++) {
            const places = prompts.map(length => length + step)
            const tokens = places.map((place, b) => sequences[b]![place] ?? -1)
            const logits = (await decoder.step(tokens).read()) as Float32Array
            for (let b = 0; b < 3; b++) if (tokens[b]! >= 0) await check(logits, b, places[b]!)
          }
          assert.equal(decoder.lengths, [11, 6, 16])
        }
        decoder.dispose()
        model.dispose()
      }))
  }
}

test('overflow, wrong counts and empty prompts are refused and change nothing', () =>
  scope(() => {
    const model = GPTBigCode.create(small)
    assert.throws(() => new Decoder(model, { batch: 1, length: 17 }), /positions below 16/)
    const decoder = new Decoder(model, { batch: 2, length: 4 })
    assert.throws(() => decoder.step([1, 2]), /after prefill/)
    assert.throws(() => decoder.prefill([[1]]), /2 prompts/)
    assert.throws(() => decoder.prefill([[1], []]), /at least one token/)
    assert.throws(() => decoder.prefill([[1], [1, 2, 3, 4, 5]]), /at most 4 tokens/)
    assert.throws(() => decoder.prefill([[1], draw(17)]), /positions below 16.*sequence 1/)
    decoder.prefill([[1], [1, 2, 3, 4]])
    assert.throws(() => decoder.step([1, 2]), /at most 4 tokens/)
    assert.equal(decoder.lengths, [1, 4])
    decoder.step([1, -1])
    assert.equal(decoder.lengths, [2, 4])
    decoder.dispose()
    model.dispose()
  }))

test('decoding leaves nothing behind', () => {
  const before = device().memory()
  const model = GPTBigCode.create(small)
  const decoder = new Decoder(model, { batch: 2 })
  decoder.prefill([draw(3), draw(5)]).dispose()
  for (let step = 0; step < 5; step++) decoder.step([1, 2]).dispose()
  decoder.dispose()
  model.dispose()
  assert.equal([device().memory().tensors, device().memory().allocated], [before.tensors, before.allocated])
})

test.run()
