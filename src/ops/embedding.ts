import { record } from '../autograd/index.ts'
import { native } from '../native.ts'
import { emptyLike, type Tensor } from '../tensor/index.ts'
import { expectMatrix, expectVector, idOf } from './check.ts'

/**
 * h[n] = tokenTable[tokens[n]] + positionTable[positions[n]]. tokens, positions i32 [N]; tables [V, D] and [P, D] → h [N, D].
 * An id outside its table fails with ERR_INDEX at the next await.
 */
export function embedding(tokens: Tensor, positions: Tensor, tokenTable: Tensor, positionTable: Tensor): Tensor {
  expectVector('embedding', { tokens, positions }, 'tokens and positions [N]')
  expectMatrix('embedding', { tokenTable, positionTable }, 'tables [V, D] and [P, D]')
  const h = emptyLike(tokenTable, [tokens.shape[0]!, tokenTable.shape[1]!])
  native.embedding(tokens.id, positions.id, tokenTable.id, positionTable.id, h.id)
  record(
    'embedding',
    [tokens, positions, tokenTable, positionTable],
    h,
    ([dh], grads) => {
      const [dtokenTable, dpositionTable] = [grads.main(tokenTable), grads.main(positionTable)]
      if (dtokenTable || dpositionTable)
        native.embeddingBackward(dh!.id, tokens.id, positions.id, idOf(dtokenTable), idOf(dpositionTable))
    },
    [tokens, positions],
  )
  return h
}
