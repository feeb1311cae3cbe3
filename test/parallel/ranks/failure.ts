/** One rank of group.test.ts, where something goes wrong. */
import { setTimeout } from 'node:timers/promises'
import { Group } from '../../../src/parallel/index.ts'
import { device, zeros } from '../../../src/tensor/index.ts'
import type { RankFunction } from '../../support/ranks.ts'

export type Scenario = 'kill' | 'abort' | 'late' | 'exit' | 'close'

const run: RankFunction<{ scenario: Scenario }, unknown> = async ({ rank, size, exchange, report }, { scenario }) => {
  const ranks = Array.from({ length: size }, (_, place) => place)
  const timeoutMs = scenario === 'late' ? 500 : 60_000
  const group = await Group.connect({ name: 'world', ranks, rank, device: device('cpu'), host: '127.0.0.1', timeoutMs, exchange })
  const x = zeros([300_000])
  group.allReduce(x)
  await group.synchronize()
  const last = size - 1
  if (rank === last) {
    report('ready')
    if (scenario === 'kill') await setTimeout(60_000) // until the test kills it
    if (scenario === 'abort') group.abort('the test says so')
    if (scenario === 'late') await setTimeout(5_000)
    if (scenario === 'exit') process.exit(3)
    if (scenario === 'close') group.close()
    return 'left'
  }
  group.allReduce(x)
  if (scenario === 'exit' && rank === 1) {
    await setTimeout(100)
    process.exit(4) // while the collective blocks
  }
  const failures = []
  const started = performance.now()
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      await group.synchronize()
    } catch (error) {
      const { code, message } = error as Error & { code: string }
      failures.push({ code, message, milliseconds: performance.now() - started })
    }
    group.allReduce(x)
  }
  group.close()
  return failures
}

export default run
