import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { blocksOfInterval, coverFault, intersect, type Region } from '../../src/checkpoint/index.ts'
import { random, seed } from '../support/random.ts'
import { refuses } from '../support/refuses.ts'
import { cutRandomly, randomShape } from './layouts.ts'

const volume = (size: readonly number[]) => size.reduce((product, length) => product * length, 1)

/** How often each element of a tensor, in row-major order, is in one of the regions. */
function counts(shape: readonly number[], regions: readonly Region[]): number[] {
  return Array.from({ length: volume(shape) }, (_, place) => {
    const indices = shape.map((length, axis) => Math.floor(place / volume(shape.slice(axis + 1))) % length)
    return regions.filter(({ start, size }) => indices.every((i, axis) => i >= start[axis]! && i < start[axis]! + size[axis]!))
      .length
  })
}

test('an interval of a matrix is the end of a row, whole rows and the beginning of a row', () => {
  const block = { start: [10, 3], size: [5, 4] }
  assert.equal(blocksOfInterval(block, 2, 15), [
    { start: [10, 5], size: [1, 2], offset: 2 },
    { start: [11, 3], size: [2, 4], offset: 4 },
    { start: [13, 3], size: [1, 3], offset: 12 },
  ])
  assert.equal(blocksOfInterval(block, 5, 7), [{ start: [11, 4], size: [1, 2], offset: 5 }])
  assert.equal(blocksOfInterval(block, 3, 5), [
    { start: [10, 6], size: [1, 1], offset: 3 },
    { start: [11, 3], size: [1, 1], offset: 4 },
  ])
  assert.equal(blocksOfInterval(block, 0, 20), [{ ...block, offset: 0 }])
  assert.equal(blocksOfInterval(block, 7, 7), [])
  assert.equal(blocksOfInterval({ start: [4], size: [9] }, 2, 5), [{ start: [6], size: [3], offset: 2 }])
  assert.equal(blocksOfInterval({ start: [], size: [] }, 0, 1), [{ start: [], size: [], offset: 0 }])
})

test('random intervals: the blocks hold just these elements, in order, each contiguous', () => {
  for (let round = 0; round < 300; round++) {
    const shape = randomShape(4, 5)
    const total = volume(shape)
    const begin = random.below(total + 1)
    const end = begin + random.below(total - begin + 1)
    const pieces = blocksOfInterval({ start: shape.map(() => 0), size: shape }, begin, end)
    const label = `[${shape}] ${begin}…${end}, seed ${seed}`
    assert.ok(pieces.length <= Math.max(1, 2 * shape.length - 1), label)
    assert.equal(
      counts(shape, pieces),
      Array.from({ length: total }, (_, i) => Number(i >= begin && i < end)),
      label,
    )
    let place = begin
    for (const { start, size, offset } of pieces) {
      assert.is(offset, place, label)
      assert.is(
        start.reduce((sum, index, axis) => sum * shape[axis]! + index, 0),
        offset,
        label,
      )
      place += volume(size)
    }
    assert.is(place, end, label)
  }
})

test('an interval outside the block is refused', async () => {
  const block = { start: [0, 0], size: [2, 3] }
  for (const [begin, end] of [
    [-1, 2],
    [3, 2],
    [0, 7],
    [0.5, 2],
    [Number.NaN, 2],
  ] as const) {
    // biome-ignore format: a list
    await refuses(() => blocksOfInterval(block, begin, end), 'ERR_INVALID_ARGUMENT', /0 ≤ begin ≤ end ≤ 6/)
  }
})

test('intersections', () => {
  const a = { start: [0, 2], size: [4, 4] }
  assert.equal(intersect(a, { start: [3, 0], size: [9, 3] }), { start: [3, 2], size: [1, 1] })
  assert.is(intersect(a, { start: [4, 2], size: [1, 1] }), undefined)
  assert.is(intersect(a, { start: [0, 2], size: [0, 4] }), undefined)
  assert.equal(intersect({ start: [], size: [] }, { start: [], size: [] }), { start: [], size: [] })
})

test('random layouts cover; without a block, with one twice, or with one changed they do not, and the fault is where it says', () => {
  for (let round = 0; round < 300; round++) {
    const shape = randomShape(3, 6)
    const regions: Region[] = cutRandomly(shape, 1 + random.below(12))
    const label = (faulty: readonly Region[]) => `${JSON.stringify({ shape, faulty })}, seed ${seed}`
    assert.is(coverFault(shape, regions), undefined, label(regions))
    for (const kind of ['drop', 'repeat', 'change'] as const) {
      const faulty = [...regions]
      const victim = random.below(faulty.length)
      if (kind === 'drop') faulty.splice(victim, 1)
      else if (kind === 'repeat') faulty.push(faulty[victim]!)
      else {
        const { start, size } = faulty[victim]!
        faulty[victim] = { start: start.map(s => Math.max(0, s - random.below(2))), size: size.map(s => s + random.below(2)) }
      }
      for (const replicas of [false, true]) {
        const outside = faulty.some(({ start, size }) => shape.some((length, axis) => start[axis]! + size[axis]! > length))
        const held = counts(shape, faulty)
        const fault = coverFault(shape, faulty, replicas)
        if (outside) assert.is(fault?.kind, 'outside', label(faulty))
        else if (held.every(n => (replicas ? n >= 1 : n === 1))) assert.is(fault, undefined, label(faulty))
        else {
          assert.ok(fault, label(faulty))
          const n = held[fault.at.reduce((sum, index, axis) => sum * shape[axis]! + index, 0)]!
          assert.ok(fault.kind === 'missing' ? n === 0 : !replicas && n > 1, label(faulty))
        }
      }
    }
  }
})

test('a tensor without elements is covered by nothing', () => {
  assert.is(coverFault([0, 4], []), undefined)
  assert.is(coverFault([0, 4], [{ start: [0, 0], size: [0, 4] }]), undefined)
  assert.is(coverFault([], [])?.kind, 'missing')
  assert.is(coverFault([], [{ start: [], size: [] }]), undefined)
  assert.is(coverFault([2], [{ start: [0, 0], size: [2, 1] }])?.kind, 'outside')
})

test.run()
