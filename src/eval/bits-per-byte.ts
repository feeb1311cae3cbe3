/**
 * Held-out bits per byte: how many bits the model needs to write down a text it has not seen, for each of the text's UTF-8 bytes.
 * Unlike loss per token it can be compared between languages and between tokenizers.
 */
import type { TokenDataset } from '../data/index.ts'
import { AuroraError } from '../errors.ts'
import type { GPTBigCode } from '../models/index.ts'
import type { Tokenizer } from '../tokenizer/index.ts'
import { type BootstrapEstimate, bootstrapRatio } from './statistics.ts'
import { tokenLosses } from './token-losses.ts'

export interface BitsPerByteOptions {
  /** Longest sequence in tokens; default and at most the model's nPositions. Longer documents are cut into several. */
  length?: number
  /** Only as many whole documents from the first as hold this many tokens (at least one); default all. */
  maxTokens?: number
  /** Tokens in one forward pass, default 4096. */
  rows?: number
  /** Of the bootstrap, default 0. */
  seed?: number
  signal?: AbortSignal
  /** Part done, 0 to 1. */
  onProgress?: (done: number) => void
}

/** One domain's measurement. */
export interface DomainBits {
  /** Σ bits / Σ bytes; its 95 % interval and standard error are bootstrapped over documents. */
  bitsPerByte: BootstrapEstimate
  /** Mean loss of the text's tokens, in nats. */
  lossPerToken: number
  documents: number
  /** Tokens of text: all but the eos that end documents. */
  tokens: number
  bytes: number
  /** The eos tokens: they spell no bytes, and what they cost is not in bitsPerByte. */
  endOfText: { tokens: number; bits: number }
  /** Per document, in order, so that two points can be compared document by document. */
  documentBits: number[]
  documentBytes: number[]
}

/**
 * Every document is read once and by itself: no sequence holds two. Each token is predicted from those before it in its sequence;
 * the first one of a document from the eos token, and the first one of a further sequence of a long document from the one
 * token before it. Bytes are those that the ids decode to. The sum runs over all tokens but eos, in float64.
 */
export async function bitsPerByte(
  model: GPTBigCode,
  tokenizer: Pick<Tokenizer, 'eos' | 'tokenBytes'>,
  dataset: TokenDataset,
  options: BitsPerByteOptions = {},
): Promise<DomainBits> {
  const { nPositions } = model.config
  const { length = nPositions, signal, onProgress } = options
  if (!Number.isInteger(length) || length < 1 || length > nPositions) {
    throw new AuroraError({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'bitsPerByte: bad length',
      expected: `an integer from 1 to the model's ${nPositions} positions`,
      found: String(length),
    })
  }
  const documents = documentsWithin(dataset, options.maxTokens ?? Number.POSITIVE_INFINITY)
  const bits = new Float64Array(documents)
  const bytes = new Float64Array(documents)
  const endOfText = { tokens: 0, bits: 0 }
  let tokens = 0
  let done = 0
  const size = Math.min(dataset.tokens, options.maxTokens ?? Number.POSITIVE_INFINITY)
  /** The document and the targets of each sequence that is under way, in order. */
  const underway: { document: number; targets: ArrayLike<number> }[] = []

  function* sequences(): Generator<ArrayLike<number>> {
    for (let document = 0; document < documents; document++) {
      const ids = dataset.read(document)
      const text = Int32Array.of(tokenizer.eos, ...ids)
      for (let start = 0; start < ids.length; start += length) {
        const sequence = text.subarray(start, start + length + 1)
        underway.push({ document, targets: sequence.subarray(1) })
        yield sequence
      }
    }
  }

  for await (const losses of tokenLosses(model, sequences(), { rows: options.rows, signal })) {
    const { document, targets } = underway.shift()!
    for (let i = 0; i < targets.length; i++) {
      const cost = losses[i]! / Math.LN2
      if (targets[i] === tokenizer.eos) {
        endOfText.tokens++
        endOfText.bits += cost
      } else {
        tokens++
        bits[document]! += cost
        bytes[document]! += tokenizer.tokenBytes(targets[i]!).length
      }
    }
    done += targets.length
    onProgress?.(Math.min(1, done / size))
  }

  const total = bits.reduce((sum, each) => sum + each, 0)
  return {
    bitsPerByte: bootstrapRatio(bits, bytes, { seed: options.seed }),
    lossPerToken: (total * Math.LN2) / tokens,
    documents,
    tokens,
    bytes: bytes.reduce((sum, each) => sum + each, 0),
    endOfText,
    documentBits: Array.from(bits),
    documentBytes: Array.from(bytes),
  }
}

/** How many documents from the first hold `tokens`, rounded down but at least one where there is one. */
function documentsWithin(dataset: TokenDataset, tokens: number): number {
  let documents = 0
  for (let read = 0; documents < dataset.documents; documents++) {
    read += dataset.length(documents)
    if (read > tokens && documents > 0) break
  }
  return documents
}
