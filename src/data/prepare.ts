/** Turning texts into an indexed dataset, with worker threads. */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { AuroraError } from '../errors.ts'
import type { EncodeOptions, Tokenizer } from '../tokenizer/index.ts'
import type { TokenArray } from './dataset.ts'
import type { TokenType } from './indexed-format.ts'
import { IndexedWriter, tokenTypeFor } from './indexed-writer.ts'
import { type ReadOptions, readDocuments, type TextDocument } from './readers.ts'

export interface PrepareOptions extends ReadOptions {
  /** Files, folders and globs (see {@link readDocuments}), or the documents themselves. */
  sources: string | readonly string[] | AsyncIterable<TextDocument>
  tokenizer: Tokenizer
  /** The result is `out`.bin and `out`.idx. */
  out: string
  /** Worker threads. Default: the cores, at most 8. The result does not depend on it. */
  workers?: number
  /** What special tokens in the texts become. Default 'text': no document can end another or forge a control token. */
  specialTokens?: EncodeOptions['specialTokens']
  onProgress?: (progress: PrepareProgress) => void
  /** Ends the work and leaves nothing behind; the promise rejects with the signal's reason. */
  signal?: AbortSignal
}

export interface PrepareProgress {
  /** Written so far. */
  documents: number
  tokens: number
  /** UTF-8 bytes of their texts. */
  bytes: number
  /** Documents that a filter dropped. */
  dropped: number
  /** Bad lines and files that were left out. */
  problems: number
}

/** A portion of texts on its way to a worker, and its tokens on their way back. */
export interface TextBatch {
  number: number
  texts: readonly string[]
}
export interface EncodedBatch {
  /** Tokens of each document, its eos included. */
  lengths: Int32Array
  tokens: TokenArray
}
export type WorkerReply = { number: number; batch: EncodedBatch } | { number: number; failure: { code: string; message: string } }
export interface WorkerSetup {
  tokenizerJSON: string
  specialTokens: 'parse' | 'text'
  type: TokenType
}

/** Characters of text that go to a worker at a time. */
const batchCharacters = 64 * 1024

/**
 * Tokenises texts into a Megatron .bin/.idx pair. Every document ends with the tokenizer's eos; documents keep the order in
 * which they are read. Memory is bounded by a few batches a worker. On failure or abort no file is left behind.
 */
export async function prepareCorpus(options: PrepareOptions): Promise<PrepareProgress> {
  const { sources, tokenizer, out, signal, onProgress, specialTokens = 'text' } = options
  const workers = options.workers ?? Math.min(availableParallelism(), 8)
  if (!Number.isInteger(workers) || workers < 1) {
    throw new AuroraError({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'prepareCorpus: bad workers',
      expected: 'an integer ≥ 1',
      found: `${workers}`,
    })
  }
  signal?.throwIfAborted()
  const progress: PrepareProgress = { documents: 0, tokens: 0, bytes: 0, dropped: 0, problems: 0 }
  const documents = isPatterns(sources) ? readDocuments(sources, counted(options, progress)) : sources
  const type = tokenTypeFor(tokenizer.vocabSize)
  const writer = await IndexedWriter.create(out, type)
  const pool = new EncodingPool(workers, { tokenizerJSON: tokenizer.toJSON(), specialTokens, type })
  try {
    const write = async ({ bytes, encoded }: Submitted) => {
      const { lengths, tokens } = await encoded
      signal?.throwIfAborted()
      let position = 0
      for (const length of lengths) {
        await writer.add(tokens.subarray(position, position + length))
        position += length
      }
      progress.documents = writer.documents
      progress.tokens = writer.tokens
      progress.bytes += bytes
      onProgress?.({ ...progress })
    }
    // Batches are written in the order in which they were read, whichever worker is first.
    const underway: Submitted[] = []
    for await (const texts of batches(documents)) {
      signal?.throwIfAborted()
      if (underway.length >= 2 * workers) await write(underway.shift()!)
      const encoded = pool.encode(texts)
      // A failure is reported when the batch's turn comes; until then it must not count as unhandled.
      encoded.catch(() => undefined)
      underway.push({ bytes: texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0), encoded })
    }
    for (const submitted of underway) await write(submitted)
    await writer.finish()
  } catch (error) {
    await writer.abort()
    throw error
  } finally {
    await pool.close()
  }
  return progress
}

interface Submitted {
  bytes: number
  encoded: Promise<EncodedBatch>
}

function isPatterns(sources: PrepareOptions['sources']): sources is string | readonly string[] {
  return typeof sources === 'string' || Array.isArray(sources)
}

/** The reading options, with what is left out counted on the way. */
function counted(options: PrepareOptions, progress: PrepareProgress): ReadOptions {
  const { onProblem, onDropped } = options
  return {
    ...options,
    onDropped: document => {
      progress.dropped++
      onDropped?.(document)
    },
    onProblem:
      onProblem &&
      (problem => {
        progress.problems++
        onProblem(problem)
      }),
  }
}

async function* batches(documents: AsyncIterable<TextDocument>): AsyncGenerator<string[]> {
  let texts: string[] = []
  let characters = 0
  for await (const { text } of documents) {
    texts.push(text)
    characters += text.length
    if (characters >= batchCharacters) {
      yield texts
      texts = []
      characters = 0
    }
  }
  if (texts.length > 0) yield texts
}

/** Starts prepare-worker, which lies beside this file in the package and in a checkout. */
function startWorker(workerData: WorkerSetup): Worker {
  if (!import.meta.url.endsWith('.ts')) return new Worker(new URL('./prepare-worker.js', import.meta.url), { workerData })
  // A checkout's sources run through tsx, whose loader new threads do not take over.
  const entry = JSON.stringify(new URL('./prepare-worker.ts', import.meta.url).href)
  return new Worker(`import('tsx/esm/api').then(({ register }) => (register(), import(${entry})))`, { eval: true, workerData })
}

interface Waiting {
  resolve: (batch: EncodedBatch) => void
  reject: (error: unknown) => void
}

/** Worker threads that tokenise; batches go to them in turn, and a thread starts with its first one. */
class EncodingPool {
  readonly #count: number
  readonly #setup: WorkerSetup
  readonly #workers: Worker[] = []
  readonly #waiting = new Map<number, Waiting>()
  #submitted = 0
  #failure: AuroraError | undefined

  constructor(count: number, setup: WorkerSetup) {
    this.#count = count
    this.#setup = setup
  }

  encode(texts: readonly string[]): Promise<EncodedBatch> {
    const number = this.#submitted++
    if (this.#workers.length < this.#count) this.#workers.push(this.#start())
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure)
      this.#waiting.set(number, { resolve, reject })
      this.#workers[number % this.#count]!.postMessage({ number, texts } satisfies TextBatch)
    })
  }

  #start(): Worker {
    const worker = startWorker(this.#setup)
    worker.on('message', (reply: WorkerReply) => this.#settle(reply))
    worker.on('error', cause => this.#fail(cause.message, cause))
    worker.on('exit', code => code !== 0 && this.#fail(`it exited with ${code}`))
    return worker
  }

  async close(): Promise<void> {
    for (const worker of this.#workers) worker.removeAllListeners('exit')
    await Promise.all(this.#workers.map(worker => worker.terminate()))
  }

  #settle(reply: WorkerReply): void {
    const waiting = this.#waiting.get(reply.number)
    this.#waiting.delete(reply.number)
    if ('batch' in reply) waiting?.resolve(reply.batch)
    else waiting?.reject(new AuroraError(reply.failure))
  }

  #fail(reason: string, cause?: unknown): void {
    this.#failure ??= new AuroraError({ code: 'ERR_WORKER', message: 'a tokenising worker failed', found: reason, cause })
    for (const { reject } of this.#waiting.values()) reject(this.#failure)
    this.#waiting.clear()
  }
}
