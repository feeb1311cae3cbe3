/**
 * Two stages of continual pretraining, written as a program: a tokenizer and a small model, a mixture for each stage,
 * checkpoints, and the loss of every language as it falls. Run it with `npx tsx examples/train-from-code/main.ts [folder]`.
 */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  adamW,
  GPTBigCode,
  generate,
  memoryDataset,
  mixture,
  readDocuments,
  stage,
  Tokenizer,
  Trainer,
  warmupCosine,
} from 'aurora-m'

const data = fileURLToPath(new URL('../quickstart/data', import.meta.url))
const folder = process.argv[2] ?? (await mkdtemp(join(tmpdir(), 'aurora-')))

const tokenizer = await Tokenizer.fromFile(join(data, 'tokenizer.json'))
const [en, fi, code] = await Promise.all([
  corpus('en', 'text/en/*.txt'),
  corpus('fi', 'text/fi/*.txt'),
  corpus('code', 'code/python/*.py'),
])

const model = GPTBigCode.create(
  { vocabSize: tokenizer.vocabSize, nPositions: 128, nEmbd: 96, nLayer: 2, nHead: 3, activationFunction: 'gelu_pytorch_tanh' },
  { dtype: 'f32', seed: 1 },
)
const trainer = new Trainer({
  model,
  tokenizer,
  optimizer: adamW({ lr: warmupCosine({ peak: 3e-3, final: 3e-4, warmup: 3, steps: 24 }), weightDecay: 0.1, clip: 1 }),
  batch: { sequences: 8, length: 128 },
  curriculum: [
    stage('base', { steps: 12, data: mixture({ en: { data: en, weight: 0.5 }, code: { data: code, weight: 0.5 } }) }),
    stage('cap', { steps: 12, data: mixture({ fi: { data: fi, weight: 0.8 }, code: { data: code, weight: 0.2 } }) }),
  ],
  checkpoints: { dir: join(folder, 'checkpoints'), every: 8, keep: 2 },
  seed: 1,
})
for await (const step of trainer.run()) {
  const losses = Object.entries(step.lossByDomain).map(([domain, loss]) => `${domain} ${loss.toFixed(2)}`)
  console.log(`${step.stage} ${step.stageStep}  ${losses.join('  ')}  ${Math.round(step.tokensPerSecond)} tokens/s`)
}
await model.savePretrained(join(folder, 'model'), { tokenizer })

const [answer] = await generate(model, tokenizer, ['def add_7(x):\n'], { maxNewTokens: 16 })
console.log(JSON.stringify(answer?.text))
model.dispose()
console.log(`model in ${join(folder, 'model')}`)

async function corpus(name: string, glob: string) {
  const documents: number[][] = []
  for await (const { text } of readDocuments(join(data, glob))) documents.push([...(await tokenizer.encode(text)), tokenizer.eos])
  return memoryDataset(documents, name)
}
