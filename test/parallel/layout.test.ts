/** Ranks, coordinates and groups. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  coordinatesOf, type GroupKind, groupOf, groupsOf, rankOf, singleLayout, worldSize,
} from '../../src/parallel/layout.ts' // biome-ignore format: one line
import { refuses } from '../support/refuses.ts'

const kinds: GroupKind[] = ['tensor', 'data', 'pipeline', 'embedding', 'model']
const layouts = [1, 2, 3].flatMap(tensor =>
  [1, 2, 4].flatMap(pipeline => [1, 2, 3].map(data => ({ ...singleLayout, tensor, pipeline, data }))),
)

test("the order of Megatron's ranks, by hand: T2 P2 D2", () => {
  const layout = { tensor: 2, pipeline: 2, data: 2 }
  assert.equal(groupsOf(layout, 'tensor'), [[0, 1], [2, 3], [4, 5], [6, 7]]) // biome-ignore format: a table
  assert.equal(groupsOf(layout, 'data'), [[0, 2], [1, 3], [4, 6], [5, 7]]) // biome-ignore format: a table
  assert.equal(groupsOf(layout, 'pipeline'), [[0, 4], [1, 5], [2, 6], [3, 7]]) // biome-ignore format: a table
  assert.equal(groupsOf(layout, 'model'), [[0, 1, 4, 5], [2, 3, 6, 7]]) // biome-ignore format: a table
  assert.equal(groupsOf({ ...layout, pipeline: 3 }, 'embedding'), [[0, 8], [1, 9], [2, 10], [3, 11]]) // biome-ignore format: a table
})

test('ranks and coordinates are inverse', () => {
  for (const layout of layouts)
    for (let rank = 0; rank < worldSize(layout); rank++) assert.is(rankOf(layout, coordinatesOf(layout, rank)), rank)
})

test('groups of a kind divide the ranks among them, and each rank finds its own', () => {
  for (const layout of layouts) {
    for (const kind of kinds) {
      const groups = groupsOf(layout, kind)
      const members = groups.flat()
      assert.is(new Set(members).size, members.length)
      if (kind !== 'embedding') assert.is(members.length, worldSize(layout))
      for (const group of groups)
        assert.equal(
          group,
          [...group].sort((a, b) => a - b),
        )
      for (let rank = 0; rank < worldSize(layout); rank++) {
        assert.equal(
          groupOf(layout, kind, rank),
          groups.find(group => group.includes(rank)),
          `${kind} ${rank}`,
        )
      }
    }
  }
})

test('without a pipeline there is no embedding group; with one, inner stages are in none', () => {
  assert.equal(groupsOf({ tensor: 2, pipeline: 1, data: 2 }, 'embedding'), [])
  assert.is(groupOf({ tensor: 1, pipeline: 3, data: 1 }, 'embedding', 1), undefined)
})

test('a rank outside the world is refused', async () => {
  for (const rank of [-1, 8, 0.5])
    await refuses(() => coordinatesOf({ tensor: 2, pipeline: 2, data: 2 }, rank), 'ERR_LAYOUT', /expected 0 … 7/)
})

test.run()
