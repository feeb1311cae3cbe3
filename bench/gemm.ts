/** How near the matrix products of a linear layer come to the machine's peak, and how they compare with oneDNN and OpenBLAS. */
import { native } from '../src/native.ts'
import { linear } from '../src/ops/index.ts'
import { full, scope, type TensorOptions, zeros } from '../src/tensor/index.ts'
import { measure } from './harness/measure.ts'
import { type Absent, compilePeer, Peer, peerEnvironment } from './harness/peers.ts'
import { type FloatType, floatTypes, type Question, type Setting, withPeers } from './harness/question.ts'
import { againstPeer, atLeast, type Row } from './harness/report.ts'
import { callsFor, timeCalls } from './harness/timing.ts'

/** x [N, D], weight [F, D]. */
type Shape = readonly [n: number, d: number, f: number]

const shapes: readonly Shape[] = [
  [512, 512, 512],
  [1024, 1024, 1024],
  [2048, 2048, 2048],
  [1024, 768, 2304],
  [1024, 768, 768],
  [1024, 768, 3072],
  [1024, 3072, 768],
  [1024, 2048, 8192],
]
const quickShapes: readonly Shape[] = [[256, 256, 256]]
const products = ['forward', 'dx', 'dweight'] as const
const targets = { f32: { share: 0.9, oneDNN: 1 }, bf16: { share: 0.85, oneDNN: 0.95 } }

export const gemm: Question = {
  name: 'gemm',
  asks: 'matrix products of a linear layer: y = x · weightᵀ, dx = dy · weight, dweight += dyᵀ · x, through the TypeScript operations',
  answer: setting =>
    withPeers(setting, [() => oneDnn(setting), () => openBlas(setting)], async peers => {
      const rows: Row[] = []
      for (const dtype of floatTypes)
        for (const shape of setting.quick ? quickShapes : shapes)
          for (const product of products) {
            const what = `${dtype} ${product} ${shape.join(' × ')}`
            if (setting.wanted(what)) rows.push(await ask(setting, peers, what, dtype, shape, product))
          }
      return rows
    }),
}

function ask(
  setting: Setting,
  peers: readonly Peer[],
  what: string,
  dtype: FloatType,
  [n, d, f]: Shape,
  product: (typeof products)[number],
): Promise<Row> {
  const { device, peaks, quick } = setting
  return scope(async () => {
    const options: TensorOptions = { dtype, device }
    const [x, weight, dy] = [full([n, d], 0.01, options), full([f, d], 0.01, options), full([n, f], 0.01, options)]
    const [dx, dweight] = [full([n, d], 0, options), zeros([f, d], { device })]
    const work = {
      forward: () => void linear(x, weight),
      dx: () => native.linearBackward(dy.id, x.id, weight.id, 0, 0, dx.id, 0, 0),
      dweight: () => native.linearBackward(dy.id, x.id, weight.id, 0, 0, 0, dweight.id, 0),
    }[product]
    const amount = 2 * n * d * f
    const calls = callsFor(amount, peaks[dtype].all)
    const problem = `${dtype} ${product} ${n} ${d} ${f}`
    const able: Peer[] = []
    for (const peer of peers) if (await peer.can(problem)) able.push(peer)
    const row = await measure(setting, {
      what,
      of: dtype,
      amount,
      run: () => timeCalls(device, calls, work),
      peers: able.map(peer => peer.contender(problem, calls)),
      repeats: quick ? 3 : 9,
    })
    const { share, oneDNN } = targets[dtype]
    return { ...row, targets: [atLeast('of peak', share, row.share.value, '%'), ...againstPeer('oneDNN', oneDNN, row)] }
  })
}

async function oneDnn({ machine: { threads } }: Setting): Promise<Peer | Absent> {
  const program = compilePeer('onednn', ['dnnl'])
  if (!program)
    return { name: 'oneDNN', why: 'its header, its library or a C++ compiler is missing (apt install g++ libdnnl-dev)' }
  return Peer.start('oneDNN', [program], { env: peerEnvironment(threads) })
}

async function openBlas({ machine: { threads } }: Setting): Promise<Peer | Absent> {
  const program = compilePeer('openblas', ['openblas'])
  if (!program)
    return { name: 'OpenBLAS', why: 'its header, its library or a C++ compiler is missing (apt install g++ libopenblas-dev)' }
  // Its threads look for work for some 2^26 cycles before they sleep.
  return Peer.start('OpenBLAS', [program], { env: peerEnvironment(threads), settle: 40 })
}
