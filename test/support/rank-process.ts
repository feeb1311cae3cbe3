/** The program of each process of a test (ranks.ts): `rank-process.ts MODULE RANK SIZE ARGS`. */
import type { Exchange } from '../../src/parallel/index.ts'
import type { RankFunction, ToRank, ToTest } from './ranks.ts'

const [module, rank, size, args] = process.argv.slice(2) as [string, string, string, string]

const waiting = new Map<number, (all: Uint8Array[]) => void>()
let exchanges = 0
process.on('message', message => {
  const { exchange, all } = message as ToRank
  waiting.get(exchange)!(all)
  waiting.delete(exchange)
})

const exchange: Exchange = (key, ranks, bytes) =>
  new Promise(resolve => {
    waiting.set(++exchanges, resolve)
    void tell({ exchange: exchanges, key, ranks, bytes })
  })

function tell(message: ToTest): Promise<void> {
  return new Promise(resolve => process.send!(message, () => resolve()))
}

try {
  const { default: run } = (await import(module)) as { default: RankFunction<unknown, unknown> }
  const report = (value: unknown) => void tell({ report: value })
  await tell({ result: await run({ rank: Number(rank), size: Number(size), exchange, report }, JSON.parse(args)) })
} catch (thrown) {
  const error = thrown as Error & { code?: string; found?: string; expected?: string }
  const { message, code, found, expected, stack } = error
  await tell({ error: { message, code, found, expected, stack } })
  process.exitCode = 1
}
process.disconnect()
