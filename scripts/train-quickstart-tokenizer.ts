/**
 * Trains the quickstart's tokenizer on the quickstart's data and writes examples/quickstart/data/tokenizer.json.
 * Run it after changing the data:  npx tsx scripts/train-quickstart-tokenizer.ts
 */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { glob } from 'tinyglobby'
import { writeFileAtomic } from '../src/checkpoint/index.ts'
import { Tokenizer } from '../src/tokenizer/index.ts'

const data = fileURLToPath(new URL('../examples/quickstart/data/', import.meta.url))

async function* texts(): AsyncGenerator<string> {
  for (const path of await files(['text/*/*.txt', 'code/python/*.py', 'code/typescript/*.ts'])) yield await readFile(path, 'utf8')
  for (const path of await files(['instructions/*.jsonl', 'safety/instructions.jsonl', 'safety/benign.jsonl'])) {
    for (const line of (await readFile(path, 'utf8')).trimEnd().split('\n')) {
      const { instruction, response } = JSON.parse(line)
      yield `### Instruction:\n${instruction}\n### Response:\n${response}\n`
    }
  }
}

async function files(patterns: string[]): Promise<string[]> {
  return (await glob(patterns, { cwd: data, absolute: true })).sort()
}

const tokenizer = await Tokenizer.train(texts(), { vocabSize: 4096 })
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
