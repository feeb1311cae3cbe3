/** Data: reading texts, tokenised datasets, and mixtures of them as batches. */
export { GlobalBatch, type MicroBatch, type Sequence } from './batch.ts'
export { memoryDataset, subset, type TokenArray, type TokenDataset } from './dataset.ts'
export type { FIMOptions } from './fim.ts'
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
