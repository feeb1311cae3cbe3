/** Packing: a window of a document stream becomes the rows of one sequence. */
import { AuroraError } from '../errors.ts'
import type { Sequence } from './batch.ts'
import { type FillInTheMiddle, pieceRandom } from './fim.ts'
import type { DocumentStream, Piece } from './stream.ts'

export interface PackOptions {
  /** T: positions a sequence. */
  length: number
  /** Attention stays within a document. */
  documentBoundaries: boolean
  /** Positions count from the document's first row in the sequence, rather than from the sequence's. */
  resetPositions: boolean
  /** Ids must lie below; Infinity when not known. */
  vocabSize: number
}

/**
 * The sequence that begins at a position of a stream. It reads T + 1 tokens: each is the target of the one before it, and
 * the next sequence begins with the last of them, so that every token is learnt once an epoch.
 */
export async function packSequence(
  stream: DocumentStream,
  position: number,
  domain: number,
  fim: FillInTheMiddle | undefined,
  options: PackOptions,
): Promise<Sequence> {
  const { length: T, documentBoundaries, resetPositions, vocabSize } = options
  const pieces = stream.pieces(position, T + 1)
  const contents = await Promise.all(
    pieces.map(piece => {
      const ids = readPiece(stream, piece, vocabSize)
      return fim === undefined ? ids : fim.apply(ids, pieceRandom(stream, piece))
    }),
  )

  const tokens = new Int32Array(T)
  const positions = new Int32Array(T)
  const firstRow = new Int32Array(T)
  const targets = new Int32Array(T).fill(-1)
  let row = 0
  const append = (ids: Int32Array, learnt: boolean) => {
    const first = row
    for (let i = 0; i < ids.length && row <= T; i++, row++) {
      if (row > 0 && learnt) targets[row - 1] = ids[i]!
      if (row === T) continue
      tokens[row] = ids[i]!
      firstRow[row] = documentBoundaries ? first : 0
      positions[row] = resetPositions ? row - first : row
    }
  }
  for (const ids of contents) append(ids, true)
  // Cutting characters instead of tokens changes their number: a shorter sequence is padded, and padding is not learnt.
  if (row <= T) append(new Int32Array(T + 1 - row).fill(fim!.pad), false)
  return { domain, tokens, positions, firstRow, targets }
}

function readPiece(stream: DocumentStream, { document, start, end }: Piece, vocabSize: number): Int32Array {
  const ids = Int32Array.from(stream.dataset.read(document, start, end))
  for (const id of ids) {
    if (id < 0 || id >= vocabSize) {
      throw new AuroraError({
        code: 'ERR_TOKEN',
        message: `document ${document} of "${stream.key}" holds a token outside the vocabulary`,
        expected: vocabSize === Number.POSITIVE_INFINITY ? 'ids ≥ 0' : `ids below ${vocabSize}`,
        found: String(id),
        hint: 'the data was prepared with another tokenizer',
      })
    }
  }
  return ids
}
