/** What a rank holds, as blocks of logical tensors: the language of checkpoints, in which every layout can read what another has written. */
import { type Block, type BlockSource, blocksOfInterval } from '../checkpoint/index.ts'
import { expectTiedHead, headName, storedNames } from '../models/index.ts'
import type { AdamW } from '../optim/index.ts'
import { scope, sizeOf } from '../tensor/index.ts'
import type { ModelPart, PartParameter } from './part.ts'

/** The weights that this rank saves, of those that it holds: over the world each once. The tensors are views, the caller's to dispose of. */
export function weightBlocks(part: ModelPart): Block[] {
  if (part.groups.data.rank > 0) return []
  return part.parts.flatMap(of => savedPieces(part, of).map(piece => weightBlock(of, piece)))
}

/** The optimizer state that this rank saves: over the world each element once. */
export function optimizerBlocks(part: ModelPart, optimizer: AdamW): Block[] {
  if (!part.layout.zero && part.groups.data.rank > 0) return []
  return stateBlocks(part, optimizer, savedPieces)
}

/**
 * Fills the weights that this rank holds from a model's folder or a checkpoint of any layout.
 * @param folder names the source in errors
 */
export async function readWeights(part: ModelPart, source: BlockSource, folder: string): Promise<void> {
  const logical = part.parts.map(of => ({ ...of, name: of.parameter.name }))
  for (const [of, name] of storedNames(source, logical, folder)) {
    await readAll(
      of.pieces.map(piece => ({ ...weightBlock(of, piece), name })),
      source,
    )
  }
  const table = part.parts.find(({ parameter }) => parameter === part.tokenTable)
  if (!table) return
  const [{ start, size }] = table.pieces as [Pieces[number]]
  await expectTiedHead(source, table.parameter, head => source.readBlock(headName, start, size, head), folder)
}

/** Fills the optimizer state that this rank holds. */
export async function readOptimizer(part: ModelPart, optimizer: AdamW, source: BlockSource): Promise<void> {
  await readAll(
    stateBlocks(part, optimizer, (_, { pieces }) => pieces),
    source,
  )
}

type Pieces = PartParameter['pieces']

function savedPieces(part: ModelPart, { pieces, copyOfFirstStage }: PartParameter): Pieces {
  return copyOfFirstStage ? [] : pieces.filter(({ shared }) => !shared || part.groups.tensor.rank === 0)
}

function weightBlock({ parameter, shape }: PartParameter, { start, size, offset }: Pieces[number]): Block {
  const { name, dtype } = parameter
  return { name, shape, dtype, start, size, tensor: parameter.view(offset, size) }
}

/** Of the pieces that `choose` says, what the optimizer owns: an interval of a piece is up to three rectangles. */
function stateBlocks(part: ModelPart, optimizer: AdamW, choose: (part: ModelPart, of: PartParameter) => Pieces): Block[] {
  const byParameter = new Map(part.parts.map(of => [of.parameter, of]))
  return scope(() =>
    optimizer.pieces().flatMap(({ parameter, begin, end, state }) => {
      const of = byParameter.get(parameter)!
      return choose(part, of).flatMap(piece => {
        const first = Math.max(begin, piece.offset)
        const last = Math.min(end, piece.offset + sizeOf(piece.size))
        if (first >= last) return []
        return blocksOfInterval(piece, first - piece.offset, last - piece.offset).flatMap(({ start, size, offset }) =>
          Object.entries(state).map(([kind, flat]) => ({
            name: `${kind}.${parameter.name}`,
            shape: of.shape,
            dtype: 'f32' as const,
            start,
            size,
            tensor: flat.view(piece.offset + offset - begin, size),
          })),
        )
      })
    }),
  )
}

async function readAll(blocks: readonly Block[], source: BlockSource): Promise<void> {
  try {
    for (const { name, start, size, tensor } of blocks) await source.readBlock(name, start, size, tensor)
  } finally {
    for (const { tensor } of blocks) tensor.dispose()
  }
}
