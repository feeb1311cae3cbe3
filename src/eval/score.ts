/** Log-probabilities of given continuations, for multiple-choice tasks and comparisons of sentences. */
import { AuroraError } from '../errors.ts'
import type { GPTBigCode } from '../models/index.ts'
import type { Tokenizer } from '../tokenizer/index.ts'
import { type TokenLossOptions, tokenLosses } from './token-losses.ts'

export interface ScoreItem {
  prompt: string
  continuation: string
}

export interface ContinuationScore {
  /** Σ ln p of the continuation's tokens after the prompt. */
  logProbability: number
  /** Tokens of the continuation. */
  tokens: number
  /** UTF-8 bytes of the continuation, to compare choices of different lengths by logProbability / bytes. */
  bytes: number
  /** The start of the prompt did not fit the model's context and was left out. */
  promptTruncated: boolean
}

/**
 * Scores every continuation, in order. Prompt and continuation are tokenised as one text, so that the tokens are those the model
 * has learned; spaces that end a prompt count as the continuation's, because tokens begin with their space. Where a token
 * spans the border it belongs to the continuation. An empty prompt stands for the end-of-text token.
 */
export async function scoreContinuations(
  model: GPTBigCode,
  tokenizer: Tokenizer,
  items: readonly ScoreItem[],
  options: TokenLossOptions & { onProgress?: (done: number) => void } = {},
): Promise<ContinuationScore[]> {
  const capacity = model.config.nPositions + 1
  const moved = items.map(({ prompt, continuation }) => {
    const trimmed = prompt.trimEnd()
    return { prompt: trimmed, continuation: prompt.slice(trimmed.length) + continuation }
  })
  const wholes = await tokenizer.encodeBatch(moved.map(({ prompt, continuation }) => prompt + continuation))
  const prompts = await tokenizer.encodeBatch(moved.map(({ prompt }) => prompt))
  const sequences = wholes.map((whole, i) => {
    const ids = Int32Array.of(tokenizer.eos, ...whole)
    const from = 1 + sharedStart(whole, prompts[i]!)
    const length = ids.length - from
    if (length === 0 || length >= capacity) {
      throw new AuroraError({
        code: length === 0 ? 'ERR_INVALID_ARGUMENT' : 'ERR_SEQUENCE_LENGTH',
        message: `scoreContinuations: the continuation of item ${i} cannot be scored`,
        expected: `1 to ${capacity - 1} tokens`,
        found: String(length),
      })
    }
    // The end-of-text token stands in for a prompt only where there is none.
    const start = Math.max(from > 1 ? 1 : 0, ids.length - capacity)
    return { ids: ids.subarray(start), length, promptTruncated: start > 1 }
  })
  const scores: ContinuationScore[] = []
  const ids = sequences.map(sequence => sequence.ids)
  for await (const losses of tokenLosses(model, ids, options)) {
    const { length, promptTruncated } = sequences[scores.length]!
    const logProbability = -losses.subarray(-length).reduce((sum, loss) => sum + loss, 0)
    const bytes = Buffer.byteLength(moved[scores.length]!.continuation)
    scores.push({ logProbability, tokens: length, bytes, promptTruncated })
    options.onProgress?.(scores.length / items.length)
  }
  return scores
}

/** How many tokens from the first are equal; a prompt's last token may differ when it grows together with what follows. */
function sharedStart(whole: Int32Array, prompt: Int32Array): number {
  let n = 0
  while (n < prompt.length && whole[n] === prompt[n]) n++
  return n
}
