/** A worker thread of `prepareCorpus`: tokenises batches of texts. Its own entry point, in dist/ as in src/. */
import { parentPort, workerData } from 'node:worker_threads'
import type { AuroraError } from '../errors.ts'
import { Tokenizer } from '../tokenizer/index.ts'
import type { EncodedBatch, TextBatch, WorkerReply, WorkerSetup } from './prepare.ts'

const { tokenizerJSON, specialTokens, type } = workerData as WorkerSetup
const tokenizer = Tokenizer.fromJSON(tokenizerJSON)

async function encode(texts: readonly string[]): Promise<EncodedBatch> {
  const encoded: Int32Array[] = []
  for (const text of texts) encoded.push(await tokenizer.encode(text, { specialTokens }))
  const lengths = Int32Array.from(encoded, ids => ids.length + 1)
  const total = lengths.reduce((sum, length) => sum + length, 0)
  const tokens = type === 'u16' ? new Uint16Array(total) : new Int32Array(total)
  let position = 0
  for (const ids of encoded) {
    tokens.set(ids, position)
    position += ids.length
    tokens[position++] = tokenizer.eos
  }
  return { lengths, tokens }
}

parentPort!.on('message', async ({ number, texts }: TextBatch) => {
  try {
    const batch = await encode(texts)
    parentPort!.postMessage({ number, batch } satisfies WorkerReply, [
      batch.lengths.buffer as ArrayBuffer,
      batch.tokens.buffer as ArrayBuffer,
    ])
  } catch (error) {
    const { code = 'ERR_TOKENIZER', message } = error as AuroraError
    parentPort!.postMessage({ number, failure: { code, message } } satisfies WorkerReply)
  }
})
