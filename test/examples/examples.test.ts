/** Every example runs as a user runs it, against the built package. */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const root = fileURLToPath(new URL('../..', import.meta.url))
const tested = ['embed-in-a-worker', 'follow-a-run', 'generate', 'train-from-code']
let folder = ''

/** Its standard output; a failure rejects with all it said. */
async function run(name: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', join(root, 'examples', name, 'main.ts'), ...args],
    { cwd: root, timeout: 120_000 },
  )
  return stdout
}

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aurora-examples-'))
})
test.after(() => rm(folder, { recursive: true, force: true }))

test('every example folder is tested here, or by a test of its own', async () => {
  assert.equal((await readdir(join(root, 'examples'))).filter(name => !['cluster', 'quickstart'].includes(name)).sort(), tested)
})

test('train-from-code: losses fall, the model is saved, generate continues a prompt with it', async () => {
  const out = await run('train-from-code', folder)
  const losses = [...out.matchAll(/^base \d+ {2}.*code ([\d.]+)/gm)].map(match => Number(match[1]))
  assert.is(losses.length, 12)
  assert.ok(losses.at(-1)! < 0.9 * losses[0]!, out)
  const continued = await run('generate', join(folder, 'model'), 'def add_7(x):\n')
  assert.ok(continued.startsWith('def add_7(x):\n') && continued.length > 20, continued)
})

test('follow-a-run: the service gets every step', async () => {
  assert.match(await run('follow-a-run'), /the service got 20 steps; loss [\d.]+ → [\d.]+/)
})

test('embed-in-a-worker: the host stops the training', async () => {
  const out = await run('embed-in-a-worker')
  const stopped = Number(/stopped after step (\d+)/.exec(out)?.[1])
  assert.ok(stopped > 0 && stopped < 10_000, out)
})

test.run()
