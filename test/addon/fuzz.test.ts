/** Thousands of wrong calls at every native function: each throws an AuroraError or succeeds, and nothing ever crashes. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const rounds = 4
const calls = 6000

test(`${rounds} rounds of ${calls} random calls`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'aurora-fuzz-'))
  try {
    const last = join(folder, 'last-call')
    for (let round = 0; round < rounds; round++) {
      const seed = Number(process.env.AURORA_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 32))
      console.log(`AURORA_FUZZ_SEED=${seed}`)
      const script = new URL('fuzz-calls.ts', import.meta.url).pathname
      const { status, signal, stdout, stderr } = spawnSync(
        process.execPath,
        ['--import', 'tsx', script, `${seed}`, `${calls}`, last],
        {
          encoding: 'utf8',
          timeout: 300_000,
        },
      )
      assert.is(signal, null, `seed ${seed} ended by ${signal} at ${readFileSync(last, 'utf8')}\n${stderr}`)
      assert.is(status, 0, `seed ${seed}:\n${stderr}`)
      const [threw, succeeded] = stdout.trim().split(' ').map(Number)
      assert.ok(threw! > calls / 4, `${threw} calls were refused`)
      assert.ok(succeeded! > calls / 20, `${succeeded} calls got through to the work itself`)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test.run()
