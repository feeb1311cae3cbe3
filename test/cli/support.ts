/** Runs the command as a person does, in a process of its own, and keeps what it printed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The built command, as it is shipped: `npm run build:ts` makes it. */
const entry = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

export interface Finished {
  code: number | null
  out: string
  err: string
}

/** `started` gets the process, to signal it. */
export function aurora(
  args: readonly string[],
  options: { input?: string; started?: (child: ChildProcess) => void } = {},
): Promise<Finished> {
  const child = spawn(process.execPath, [entry, ...args], { stdio: 'pipe', env: { ...process.env, NO_COLOR: '1' } })
  const finished: Finished = { code: null, out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    finished.out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    finished.err += text
  })
  child.stdin.end(options.input ?? '')
  options.started?.(child)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => resolve({ ...finished, code }))
  })
}

/** A folder with two little corpora and a recipe of two stages, `steps` each. */
export async function recipeFolder(steps: number): Promise<{ folder: string; recipe: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'aurora-cli-'))
  const line = (i: number) => `line ${i}: the quick brown fox counts ${i % 10} lazy dogs and ${(7 * i) % 10} cats.`
  const rows = (from: number) =>
    Array.from({ length: 40 }, (_, i) =>
      JSON.stringify({ text: Array.from({ length: 6 }, (_, j) => line(from + 6 * i + j)).join('\n') }),
    ).join('\n')
  await writeFile(join(folder, 'one.jsonl'), rows(0))
  await writeFile(join(folder, 'two.jsonl'), rows(1000))
  const recipe = join(folder, 'recipe.yaml')
  await writeFile(
    recipe,
    `name: tiny
seed: 3
output: run
model: { create: { nLayer: 1, nEmbd: 32, nHead: 2, nPositions: 64 } }
tokenizer: { train: { vocabSize: 320 } }
data:
  one: { files: one.jsonl, heldOut: 0.1 }
  two: { files: two.jsonl, heldOut: 0.1 }
batch: { sequences: 4, length: 64 }
schedule: { type: warmupCosine, peak: 1.0e-2, final: 1.0e-3, warmup: 2 }
stages:
  - { name: first, steps: ${steps}, mixture: { one: 1 } }
  - { name: second, steps: ${steps}, mixture: { one: 0.5, two: 0.5 } }
evaluations:
  - { type: bitsPerByte }
checkpoints: { every: ${Math.ceil(steps / 4)} }
`,
  )
  return { folder, recipe }
}
