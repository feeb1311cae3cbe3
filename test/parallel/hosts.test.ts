/** A job on two machines: here two network namespaces, each with an address of its own, and a cable between them that can be cut. */
import { execFileSync } from 'node:child_process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { freePort } from '../../src/cli/launch/port.ts'
import { ParallelJob, singleLayout } from '../../src/parallel/index.ts'
import { random } from '../support/random.ts'
import { refuses } from '../support/refuses.ts'
import { compareLosses, trainWhole } from './compare.ts'
import { deadlineMs, Run, steps } from './faults.ts'
import { environmentOf } from './training.ts'

const address = (host: number) => `10.213.77.${host + 1}`
const environment = { master: address(0), token: 'a secret of the job', localRank: 0, localSize: 1 }

class Hosts {
  readonly #names = [0, 1].map(host => `aurora-${process.pid}-${host}`)

  constructor() {
    try {
      for (const name of this.#names) ip('netns', 'add', name)
      const [first, second] = this.#names as [string, string]
      ip('-n', first, 'link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'cable', 'netns', second)
      for (const [host, name] of this.#names.entries()) {
        ip('-n', name, 'address', 'add', `${address(host)}/24`, 'dev', 'cable')
        for (const device of ['lo', 'cable']) ip('-n', name, 'link', 'set', device, 'up')
      }
    } catch (error) {
      this.remove()
      throw error
    }
  }

  readonly through = (rank: number) => ['ip', 'netns', 'exec', this.#names[rank]!]

  cut(host: number): void {
    ip('-n', this.#names[host]!, 'link', 'set', 'cable', 'down')
  }

  remove(): void {
    for (const name of this.#names) {
      try {
        ip('netns', 'delete', name)
      } catch {
        // It was not made.
      }
    }
  }
}

function ip(...words: string[]): void {
  execFileSync('ip', words, { stdio: 'pipe' })
}

/** Undefined, with the reason printed, where the system does not let us. */
function hosts(): Hosts | undefined {
  try {
    return new Hosts()
  } catch (error) {
    console.log(`skipped: no network namespaces here: ${(error as Error).message.trim()}`)
    return undefined
  }
}

for (const [what, layout] of Object.entries({ 'data 2': { data: 2 }, 'pipeline 2': { pipeline: 2 } })) {
  test(`${what} on two hosts trains as one process does; when the cable is cut, each side names the other`, async () => {
    const two = hosts()
    if (!two) return
    try {
      const { through } = two
      const run = await Run.start({ layout, environment }, { through })
      compareLosses(what, await run.result(), await trainWhole({ steps }))

      const cut = await Run.start({ layout, environment, deadlineMs, steps: [10_000, 1] }, { through })
      await cut.until(0, ({ step }) => step > 2)
      const since = performance.now()
      two.cut(random.below(2))
      const failures = await cut.failures([], since)
      console.log(`cut: both ended in ${failures.seconds.toFixed(1)} s`)
      for (const rank of [0, 1]) {
        const error = failures.errors.get(rank)!
        const other = 1 - rank
        assert.is(error.code, 'ERR_RANK_FAILED', error.message)
        assert.match(error.message, new RegExp(`^rank ${other} of 2 .* silent for ${deadlineMs / 1000} s during step`))
      }
    } finally {
      two.remove()
    }
  })
}

test('a job that others can reach needs a secret', async () => {
  const port = await freePort()
  const open = environmentOf({ rank: 0, size: 1 }, { port, environment: { ...environment, token: undefined } })
  await refuses(
    () => ParallelJob.join({ layout: singleLayout, definition: 'test', environment: open }),
    'ERR_WORLD',
    /AURORA_JOB_TOKEN is not set/,
  )
})

test.run()
