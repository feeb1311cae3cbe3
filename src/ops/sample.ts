import { native } from '../native.ts'
import type { RandomWords } from '../random/index.ts'
import { emptyLike, type Tensor } from '../tensor/index.ts'
import { expectMatrix, idOf } from './check.ts'

export interface SampleOptions {
  /** 0 (default): the most likely token, the lowest id on ties. Else logits are divided by it. */
  temperature?: number
  /** Only the k most likely tokens; 0 (default): all. */
  topK?: number
  /** Then only the smallest set whose probability reaches this; 1 (default): all. */
  topP?: number
  /** Random numbers; required unless temperature is 0. */
  random?: RandomWords
  /** i32 [B]: which random number each row uses (default: its index), so that a sequence's draws do not depend on its batch. */
  draws?: Tensor
  /** Also returns the log-probability of each picked token under softmax(logits). */
  logProbabilities?: boolean
}

/** Picks a token for every row. logits [B, V] → tokens i32 [B], logProbabilities f32 [B]. No derivative. */
export function sample(logits: Tensor, options: SampleOptions = {}): { tokens: Tensor; logProbabilities: Tensor | undefined } {
  expectMatrix('sample', { logits }, 'logits [B, V]')
  const { temperature = 0, topK = 0, topP = 1, random = [0, 0, 0, 0], draws } = options
  const rows = [logits.shape[0]!]
  const tokens = emptyLike(logits, rows, 'i32')
  const logProbabilities = options.logProbabilities ? emptyLike(logits, rows, 'f32') : undefined
  native.sample(logits.id, temperature, topK, topP, random, idOf(draws), tokens.id, idOf(logProbabilities))
  return { tokens, logProbabilities }
}
