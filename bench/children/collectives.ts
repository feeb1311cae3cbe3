/** One of the processes of bench/collectives.ts: connects to the others by way of its parent, and reduces when it is told. */
import { type Exchange, Group } from '../../src/parallel/index.ts'
import { device, zeros } from '../../src/tensor/index.ts'
import type { FloatType } from '../harness/question.ts'

export interface Reduction {
  dtype: FloatType
  bytes: number
  calls: number
}

const [rank, size] = process.argv.slice(2).map(Number) as [number, number]
const next = () => new Promise<unknown>(resolve => process.once('message', resolve))

const exchange: Exchange = async (_key, _ranks, bytes) => {
  const all = next()
  process.send!(bytes)
  return (await all) as Uint8Array[]
}
const ranks = Array.from({ length: size }, (_, member) => member)
const cpu = device('cpu')
const group = await Group.connect({ name: 'bench', ranks, rank, device: cpu, host: '127.0.0.1', timeoutMs: 60_000, exchange })

process.on('disconnect', () => process.exit())
process.on('message', async message => {
  const { dtype, bytes, calls } = message as Reduction
  const x = zeros([bytes / (dtype === 'f32' ? 4 : 2)], { dtype })
  group.allReduce(x) // untimed
  await group.synchronize()
  const started = performance.now()
  for (let call = 0; call < calls; call++) group.allReduce(x)
  await group.synchronize()
  process.send!((performance.now() - started) / 1000 / calls)
  x.dispose()
})
process.send!('ready')
