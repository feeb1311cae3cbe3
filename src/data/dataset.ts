/** Tokenised documents, wherever they are kept. */
import { AuroraError } from '../errors.ts'

/** Token ids: u16 where the vocabulary allows it, else i32. */
export type TokenArray = Uint16Array | Int32Array

export interface TokenDataset {
  /** Identifies the data within its domain, also across stages: where reading stopped is remembered under it. */
  readonly name: string
  readonly documents: number
  /** Tokens of all documents. */
  readonly tokens: number
  /** Tokens of one document. */
  length(document: number): number
  /** Tokens [start, end) of a document; all of it by default. */
  read(document: number, start?: number, end?: number): TokenArray
}

/** A dataset of arrays in memory. Each should end with the tokenizer's eos, as prepared corpora do. */
export function memoryDataset(documents: Iterable<ArrayLike<number>>, name = 'memory'): TokenDataset {
  const arrays = Array.from(documents, ids => Int32Array.from(ids))
  return {
    name,
    documents: arrays.length,
    tokens: arrays.reduce((sum, { length }) => sum + length, 0),
    length: document => documentAt(arrays, name, document).length,
    read: (document, start, end) => documentAt(arrays, name, document).slice(start, end),
  }
}

function documentAt(arrays: readonly Int32Array[], name: string, document: number): Int32Array {
  checkDocument(name, document, arrays.length)
  return arrays[document]!
}

/** Some documents of another dataset, in the order of `selection`. */
export function subset(dataset: TokenDataset, selection: ArrayLike<number>, name = dataset.name): TokenDataset {
  const indices = Float64Array.from(selection)
  let tokens = 0
  for (const index of indices) tokens += dataset.length(index)
  const source = (document: number) => {
    checkDocument(name, document, indices.length)
    return indices[document]!
  }
  return {
    name,
    documents: indices.length,
    tokens,
    length: document => dataset.length(source(document)),
    read: (document, start, end) => dataset.read(source(document), start, end),
  }
}

export function checkDocument(name: string, document: number, documents: number): void {
  if (!Number.isInteger(document) || document < 0 || document >= documents) {
    throw new AuroraError({
      code: 'ERR_INVALID_ARGUMENT',
      message: `dataset "${name}" has no such document`,
      expected: documents === 0 ? 'nothing: the dataset is empty' : `0 to ${documents - 1}`,
      found: String(document),
    })
  }
}
