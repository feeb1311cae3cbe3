/** Data: reading texts, tokenised datasets, and mixtures of them as batches. */
export { GlobalBatch, type MicroBatch, type Sequence } from './batch.ts'
export { memoryDataset, subset, type TokenArray, type TokenDataset } from './dataset.ts'
export type { FIMOptions } from './fim.ts'
export { IndexedDataset } from './indexed.ts'
export type { TokenType } from './indexed-format.ts'
export { IndexedWriter, tokenTypeFor } from './indexed-writer.ts'
export { type Instruction, instructionPrompt, isInstruction, renderInstruction } from './instruction.ts'
export {
  type Cursors,
  type DomainOptions,
  Mixture,
  type MixtureOptions,
  MixtureReader,
  mixture,
  type ReaderOptions,
  type WeightedSource,
} from './mixture.ts'
export { type PrepareOptions, type PrepareProgress, prepareCorpus } from './prepare.ts'
export { findFiles, type ReadOptions, readDocuments, symbolShare, type TextDocument } from './readers.ts'
export { type SplitOptions, split } from './split.ts'
