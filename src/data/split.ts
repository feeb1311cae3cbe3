/** Held-out documents, which training never sees. */
import { createHash } from 'node:crypto'
import { AuroraError } from '../errors.ts'
import { Purpose, RandomStream, randomWords } from '../random/index.ts'
import { subset, type TokenArray, type TokenDataset } from './dataset.ts'

export interface SplitOptions {
  /** Share of the documents to hold out, from 0 to 1. */
  fraction: number
  /** The run's seed. Default 0. */
  seed?: number | bigint
  /**
   * What decides: the document's 'content' (default), so that identical documents, also in other datasets split with the
   * same seed, are on the same side, which reads the whole dataset once; or its 'index', which reads nothing.
   */
  by?: 'content' | 'index'
}

/**
 * Splits a dataset into `train` and `heldOut`, which share no document. A fraction above 0 holds out at least one document if
 * that leaves one to train on.
 */
export function split(dataset: TokenDataset, options: SplitOptions): { train: TokenDataset; heldOut: TokenDataset } {
  const { fraction, seed = 0, by = 'content' } = options
  if (!(fraction >= 0 && fraction <= 1)) {
    throw new AuroraError({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'split: bad fraction',
      expected: '0 to 1',
      found: String(fraction),
    })
  }
  const draws = new Float64Array(dataset.documents)
  for (let document = 0; document < draws.length; document++) {
    draws[document] = by === 'content' ? drawByContent(dataset.read(document), seed) : drawByIndex(document, seed)
  }
  const lowest = draws.reduce((least, draw) => Math.min(least, draw), 1)
  const holdsOutLowest = fraction > 0 && lowest >= fraction && draws.some(draw => draw > lowest)
  const isHeldOut = (draw: number) => draw < fraction || (holdsOutLowest && draw === lowest)
  const documents = Array.from(draws, (_, document) => document)
  return {
    train: subset(
      dataset,
      documents.filter(document => !isHeldOut(draws[document]!)),
    ),
    heldOut: subset(
      dataset,
      documents.filter(document => isHeldOut(draws[document]!)),
      `${dataset.name} (held out)`,
    ),
  }
}

/** Uniform in [0, 1). */
function drawByIndex(document: number, seed: number | bigint): number {
  return new RandomStream(randomWords(seed, Purpose.split), 2 * document).below(2 ** 53) / 2 ** 53
}

/** The hash takes ids as 32-bit integers, so that a document is the same in u16 and in i32. */
function drawByContent(ids: TokenArray, seed: number | bigint): number {
  const wide = Int32Array.from(ids)
  const hash = createHash('sha256').update(new Uint8Array(wide.buffer)).digest()
  const [key0, key1, stream0] = [hash.readUInt32LE(0), hash.readUInt32LE(4), hash.readUInt32LE(8)]
  const [seed0, seed1] = randomWords(seed, Purpose.split)
  return new RandomStream([(key0 ^ seed0) >>> 0, (key1 ^ seed1) >>> 0, stream0, Purpose.split]).below(2 ** 53) / 2 ** 53
}
