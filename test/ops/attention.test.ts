import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  attentionDecode,
  cacheWrite,
  concatColumns,
  type HeadLayout,
  multiQueryAttention,
  sliceColumns,
} from '../../src/ops/index.ts'
import { Purpose, RandomStream, randomWords } from '../../src/random/index.ts'
import { scope, tensor, zeros } from '../../src/tensor/index.ts'
import { between, checkDerivative, documentStarts, dtypes, noise, seed, tolerances } from '../support/derivatives.ts'
import * as reference from '../support/reference.ts'

function layouts(): HeadLayout[] {
  const heads = between(2, 4)
  return [
    { heads, keyHeads: 1, width: 8 * between(1, 3) },
    { heads, keyHeads: heads, width: 8 * between(1, 3) },
    { heads: 1, keyHeads: 1, width: 8 * between(1, 3) },
  ]
}
const rowWidth = (layout: HeadLayout) => (layout.heads + 2 * layout.keyHeads) * layout.width

for (const dtype of dtypes) {
  test(`attention within documents, ${dtype}: multi-query, multi-head and one head, output and gradient`, async () => {
    for (const layout of layouts()) {
      const rows = between(2, 19)
      const firstRow = documentStarts(rows)
      const scale = 1 / Math.sqrt(layout.width)
      await checkDerivative({
        dtype,
        tolerance: tolerances[dtype] * 2,
        inputs: { qkv: { shape: [rows, rowWidth(layout)], kind: 'activation' } },
        run: ({ qkv }) => multiQueryAttention(qkv, tensor(firstRow), layout),
        reference: ({ qkv }) => reference.attention(qkv, firstRow, layout, scale),
      })
    }
  })

  test(`attention dropout, ${dtype}: the elements that the random words name are dropped, backward too`, async () => {
    for (const layout of layouts()) {
      const rows = between(2, 13)
      const firstRow = documentStarts(rows)
      const random = randomWords(seed, Purpose.dropout, 7)
      const p = 0.3
      const factor = (head: number, i: number, j: number) =>
        new RandomStream(random, (head * rows + i) * rows + j).uniform() >= Math.fround(p) ? 1 / (1 - p) : 0
      await checkDerivative({
        dtype,
        tolerance: tolerances[dtype] * 2,
        inputs: { qkv: { shape: [rows, rowWidth(layout)], kind: 'activation' } },
        run: ({ qkv }) => multiQueryAttention(qkv, tensor(firstRow), layout, { scale: 0.7, dropout: p, random }),
        reference: ({ qkv }) => reference.attention(qkv, firstRow, layout, 0.7, factor),
      })
    }
  })

  test(`decoding against a cache, ${dtype}: ragged lengths, skipped rows`, () =>
    scope(async () => {
      for (const layout of layouts()) {
        const { heads, keyHeads, width } = layout
        const [batch, capacity] = [3, between(5, 11)]
        const lengths = Int32Array.from([capacity, between(1, capacity - 1), 0])
        const [keys, values] = [0, 1].map(() => zeros([batch, capacity, keyHeads * width], { dtype }))
        const history = Array.from({ length: capacity }, () =>
          tensor(noise(batch * rowWidth(layout)), [batch, rowWidth(layout)], { dtype }),
        )
        for (const [t, qkv] of history.entries()) {
          const slots = Array.from(lengths, (length, b) => (t < length ? b * capacity + t : -1))
          cacheWrite(qkv, tensor(Int32Array.from(slots)), layout, keys!, values!)
        }
        const y = await attentionDecode(history.at(-1)!, keys!, values!, tensor(lengths), layout).read()
        const rows = await Promise.all(history.map(qkv => qkv.read()))
        for (let b = 0; b < batch; b++) {
          const row = (t: number) => Array.from(rows[t]!.subarray(b * rowWidth(layout), (b + 1) * rowWidth(layout)))
          const expected = attendLast(
            row(capacity - 1),
            Array.from({ length: lengths[b]! }, (_, t) => row(t)),
            layout,
          )
          const error = reference.relativeError(y.subarray(b * heads * width, (b + 1) * heads * width), expected)
          assert.ok(error < tolerances[dtype] * 2, `sequence ${b}: ${error}, seed ${seed}`)
        }
      }
    }))
}

/** The queries of one row over the keys and values of others. */
function attendLast(query: number[], others: number[][], layout: HeadLayout): Float64Array {
  const { heads, width } = layout
  const y = new Float64Array(heads * width)
  if (others.length === 0) return y
  // The last of the others lends its row to the queries: its own keys and values stay.
  const mixed = others.map(row => [...row])
  const last = mixed.at(-1)!
  for (let h = 0; h < heads; h++) {
    const offset = layout.keyHeads === 1 && heads !== 1 ? h * width : 3 * h * width
    for (let k = 0; k < width; k++) last[offset + k] = query[offset + k]!
  }
  const all = reference.attention(Float64Array.from(mixed.flat()), new Int32Array(mixed.length), layout, 1 / Math.sqrt(width))
  return all.subarray((mixed.length - 1) * heads * width)
}

test('dropout without random numbers is refused', () => {
  const layout = { heads: 2, keyHeads: 1, width: 2 }
  assert.throws(() => multiQueryAttention(zeros([1, 8]), tensor(Int32Array.of(0)), layout, { dropout: 0.1 }), /random/)
})

test('heads computed apart drop what they drop together', () =>
  scope(async () => {
    const [heads, width, rows] = [3, 8, between(3, 11)]
    const qkv = tensor(noise(rows * (heads + 2) * width), [rows, (heads + 2) * width])
    const firstRow = tensor(documentStarts(rows))
    const options = { dropout: 0.3, random: randomWords(seed, Purpose.dropout, 9) }
    const whole = multiQueryAttention(qkv, firstRow, { heads, keyHeads: 1, width }, options)
    for (let head = 0; head < heads; head++) {
      const own = concatColumns([sliceColumns(qkv, head * width, width), sliceColumns(qkv, heads * width, 2 * width)])
      const y = multiQueryAttention(own, firstRow, { heads: 1, keyHeads: 1, width }, { ...options, firstHead: head })
      const error = reference.relativeError(
        await y.read(),
        Float64Array.from(await sliceColumns(whole, head * width, width).read()),
      )
      assert.ok(error < 1e-5, `head ${head}: ${error}, seed ${seed}`)
    }
  }))

test.run()
