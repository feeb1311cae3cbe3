/** The recipe's corpora as tokenised documents, cut into what is trained on and what is held out. */
import { createHash } from 'node:crypto'
import { access, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import {
  findFiles, IndexedDataset, memoryDataset, prepareCorpus, readDocuments, split, subset, symbolShare, type TokenDataset,
} from '../../data/index.ts' // biome-ignore format: one door
import { AuroraError } from '../../errors.ts'
import type { Tokenizer } from '../../tokenizer/index.ts'
import type { CorpusFacts } from '../run-folder.ts'
import type { CheckedRecipe, RecipeCorpus, RecipeFilter } from './schema.ts'

export interface Corpus {
  /** Documents to train on, one dataset a source. */
  train: TokenDataset[]
  heldOut?: TokenDataset
  fim: number
}

export interface Corpora {
  byName: Record<string, Corpus>
  facts: Record<string, CorpusFacts>
  /** A digest of the tokens of each corpus that is in memory: a run does not go on with other data. */
  digests: Record<string, string>
  close(): void
}

export interface CorporaOptions {
  recipe: CheckedRecipe
  tokenizer: Tokenizer
  /** Where large corpora are kept in tokenised form. */
  folder: string
  /** Take what an earlier start of this run has tokenised. */
  reuse: boolean
  /** Corpora whose files are larger in all are tokenised into an indexed dataset on disk, by worker threads. Default 16 MiB. */
  maxInMemory?: number
  onProgress?: (corpus: string, documents: number) => void
  signal?: AbortSignal
}

const mebibyte = 2 ** 20
/** Documents examined before others get a turn on the event loop. */
const filteredAtOnce = 64

export async function openCorpora(options: CorporaOptions): Promise<Corpora> {
  const { recipe, tokenizer } = options
  const opened: IndexedDataset[] = []
  const byName: Record<string, Corpus> = {}
  const digests: Record<string, string> = {}
  const close = () => {
    for (const dataset of opened) dataset.close()
  }
  try {
    for (const [name, corpus] of Object.entries(recipe.data)) {
      if (corpus.of) continue
      const dataset = corpus.tokens ? await IndexedDataset.open(corpus.tokens, name) : await tokenise(name, corpus, options)
      if (dataset instanceof IndexedDataset) opened.push(dataset)
      else digests[name] = digestOf(dataset)
      const kept = corpus.tokens && corpus.filter ? await filtered(dataset, corpus.filter, tokenizer) : dataset
      const { train, heldOut } = split(kept, { fraction: corpus.heldOut, seed: recipe.seed })
      byName[name] = { train: [train], heldOut: corpus.heldOut > 0 ? heldOut : undefined, fim: corpus.fim }
    }
    for (const [name, { of, filter, fim }] of Object.entries(recipe.data)) {
      if (!of) continue
      const sources = of.flatMap(source => byName[source]!.train)
      const kept = await Promise.all(sources.map(source => (filter ? filtered(source, filter, tokenizer) : source)))
      byName[name] = { train: kept.filter(({ tokens }) => tokens > 0), fim }
    }
    for (const [name, { train }] of Object.entries(byName)) {
      if (train.some(({ tokens }) => tokens > 0)) continue
      throw new AuroraError({
        code: 'ERR_DATA',
        message: `corpus "${name}" has nothing to train on`,
        expected: 'at least one document',
        found: 'none',
      })
    }
    return { byName, facts: factsOf(recipe, byName), digests, close }
  } catch (error) {
    close()
    throw error
  }
}

/** The texts of corpora, for training a tokenizer. */
export async function* corpusTexts(
  recipe: CheckedRecipe,
  names: readonly string[] = Object.keys(recipe.data),
): AsyncGenerator<string> {
  for (const name of names) {
    const corpus = recipe.data[name]!
    if (!corpus.files) continue
    for await (const { text } of readDocuments(corpus.files, readOptions(corpus))) yield text
  }
}

async function tokenise(name: string, corpus: RecipeCorpus, options: CorporaOptions): Promise<TokenDataset> {
  const { tokenizer, folder, reuse, maxInMemory = 16 * mebibyte, onProgress, signal } = options
  const files = corpus.files!
  const sizes = await Promise.all((await findFiles(files)).map(async file => (await stat(file)).size))
  if (sizes.reduce((sum, size) => sum + size, 0) > maxInMemory) {
    const out = join(folder, `${name}-${keyOf(corpus, tokenizer)}`)
    if (!(reuse && (await isThere(`${out}.idx`)))) {
      await prepareCorpus({
        ...readOptions(corpus),
        sources: files,
        tokenizer,
        out,
        signal,
        onProgress: ({ documents }) => onProgress?.(name, documents),
      })
    }
    return IndexedDataset.open(out, name)
  }
  const texts: string[] = []
  for await (const { text } of readDocuments(files, readOptions(corpus))) texts.push(text)
  const documents = await tokenizer.encodeBatch(texts, { specialTokens: 'text' })
  onProgress?.(name, documents.length)
  return memoryDataset(
    documents.map(ids => [...ids, tokenizer.eos]),
    name,
  )
}

function readOptions({ field, filter }: RecipeCorpus) {
  return filter ? { field, filter: ({ text }: { text: string }) => passes(text, filter) } : { field }
}

/** Names a tokenised corpus by what it was made from. */
function keyOf(corpus: RecipeCorpus, tokenizer: Tokenizer): string {
  const { files, field, filter } = corpus
  return createHash('sha256')
    .update(JSON.stringify([files, field, filter]))
    .update(tokenizer.toJSON())
    .digest('hex')
    .slice(0, 12)
}

function digestOf(dataset: TokenDataset): string {
  const hash = createHash('sha256')
  for (let document = 0; document < dataset.documents; document++) {
    const ids = dataset.read(document)
    hash.update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength))
  }
  return hash.digest('hex')
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

function passes(text: string, { minCharacters, maxCharacters, maxSymbols }: RecipeFilter): boolean {
  if (minCharacters !== undefined && text.length < minCharacters) return false
  if (maxCharacters !== undefined && text.length > maxCharacters) return false
  return maxSymbols === undefined || symbolShare(text) <= maxSymbols
}

/** The documents of a tokenised dataset whose texts pass. */
async function filtered(dataset: TokenDataset, filter: RecipeFilter, tokenizer: Tokenizer): Promise<TokenDataset> {
  const kept: number[] = []
  for (let document = 0; document < dataset.documents; document++) {
    if (document % filteredAtOnce === 0) await setImmediate()
    if (passes(tokenizer.decode(dataset.read(document), { skipSpecialTokens: true }), filter)) kept.push(document)
  }
  return subset(dataset, kept)
}

function factsOf(recipe: CheckedRecipe, corpora: Record<string, Corpus>): Record<string, CorpusFacts> {
  const sum = (train: readonly TokenDataset[], of: 'documents' | 'tokens') =>
    train.reduce((total, dataset) => total + dataset[of], 0)
  const facts = Object.entries(corpora).map(([name, { train, heldOut }]) => [
    name,
    {
      lang: recipe.data[name]!.lang ?? name,
      trainDocuments: sum(train, 'documents'),
      trainTokens: sum(train, 'tokens'),
      heldOutDocuments: heldOut?.documents ?? 0,
      heldOutTokens: heldOut?.tokens ?? 0,
    },
  ])
  return Object.fromEntries(facts)
}
