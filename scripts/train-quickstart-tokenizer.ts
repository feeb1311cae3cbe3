/**
 * Trains the quickstart's tokenizer on the quickstart's data and writes examples/quickstart/data/tokenizer.json.
 * Run it after changing the data:  npx tsx scripts/train-quickstart-tokenizer.ts
 */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { writeFileAtomic } from '../src/checkpoint/index.ts'
import { readDocuments } from '../src/data/index.ts'
import { Tokenizer } from '../src/tokenizer/index.ts'

const data = fileURLToPath(new URL('../examples/quickstart/data/', import.meta.url))

/** All that the recipe trains on; the suite's tasks stay out. */
async function* texts(): AsyncGenerator<string> {
  const sources = ['text', 'code', 'instructions', 'safety/instructions.jsonl', 'safety/benign.jsonl']
  const documents = readDocuments(
    sources.map(source => data + source),
    { ignore: ['**/suite.jsonl'] },
  )
  for await (const { text } of documents) yield text
}

const tokenizer = await Tokenizer.train(texts(), { vocabSize: 2048 })
await writeFileAtomic(`${data}tokenizer.json`, `${tokenizer.toJSON()}\n`)
for (const sample of [
  'text/en/crows.txt',
  'text/fi/sauna.txt',
  'text/hi/neela-aakash.txt',
  'text/ja/edo-fires.txt',
  'text/vi/dan-bau.txt',
  'code/python/trie.py',
]) {
  const text = await readFile(data + sample, 'utf8')
  const tokens = (await tokenizer.encode(text)).length
  console.log(`${sample}: ${(Buffer.byteLength(text) / tokens).toFixed(2)} bytes a token`)
}
