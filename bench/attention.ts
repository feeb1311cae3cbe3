/** How near fused causal attention comes to the machine's peak, and how it compares with attention written in PyTorch. */
import { type HeadLayout, native } from '../src/native.ts'
import { randomNormal, scope, type Tensor, tensor, zeros } from '../src/tensor/index.ts'
import { measure } from './harness/measure.ts'
import { type Peer, torchPeer } from './harness/peers.ts'
import { type FloatType, floatTypes, type Question, type Setting, withPeers } from './harness/question.ts'
import { atLeast, type Row } from './harness/report.ts'
import { callsFor, timeCalls } from './harness/timing.ts'

interface Shape {
  batch: number
  length: number
  heads: number
  width: number
}

const shapes: readonly Shape[] = [
  { batch: 1, length: 2048, heads: 12, width: 64 },
  { batch: 1, length: 2048, heads: 16, width: 128 },
  { batch: 2, length: 512, heads: 12, width: 64 },
  { batch: 2, length: 512, heads: 16, width: 128 },
]
const quickShapes: readonly Shape[] = [{ batch: 2, length: 64, heads: 4, width: 32 }]
const directions = ['forward', 'backward'] as const
/** Shares of the f32 peak, whatever the dtype: softmax is computed in f32. */
const targets = { forward: 0.6, backward: 0.5 }

/** Arithmetic of the rows that causality leaves: two products forward, five backward (the scores are computed once more). */
export function attentionFlops({ batch, length, heads, width }: Shape, direction: (typeof directions)[number]): number {
  const forward = 2 * batch * heads * width * length * (length + 1)
  return direction === 'forward' ? forward : 2.5 * forward
}

export const attention: Question = {
  name: 'attention',
  asks: 'causal multi-query attention, forward (2·K·H·T·(T + 1) operations a sequence) and backward (2.5 times that)',
  answer: setting =>
    withPeers(setting, [() => torchPeer('attention.py', setting.machine.threads)], async peers => {
      const rows: Row[] = []
      for (const dtype of floatTypes)
        for (const shape of setting.quick ? quickShapes : shapes)
          for (const direction of directions) {
            const what = `${dtype} ${direction} ${shape.batch} × T ${shape.length}, H ${shape.heads}, K ${shape.width}`
            if (setting.wanted(what)) rows.push(await ask(setting, peers, what, dtype, shape, direction))
          }
      return rows
    }),
}

function ask(
  setting: Setting,
  peers: readonly Peer[],
  what: string,
  dtype: FloatType,
  shape: Shape,
  direction: (typeof directions)[number],
): Promise<Row> {
  const { device, peaks, quick } = setting
  return scope(async () => {
    const { batch, length, heads, width } = shape
    const rows = batch * length
    const random = (columns: number, stream: number): Tensor =>
      randomNormal([rows, columns], { dtype, device, random: [stream, 0, 0, 0] })
    const layout: HeadLayout = [heads, 1, width]
    const qkv = random((heads + 2) * width, 1)
    const dy = random(heads * width, 2)
    const firstRow = tensor(
      Int32Array.from({ length: rows }, (_, row) => row - (row % length)),
      [rows],
      { device },
    )
    const y = zeros([rows, heads * width], { dtype, device })
    const dqkv = zeros(qkv.shape, { dtype, device })
    const logSumExp = zeros([heads, rows], { device })
    const [scale, noise] = [1 / Math.sqrt(width), [0, 0, 0, 0]] as const
    const forward = () => native.attention(qkv.id, firstRow.id, layout, scale, 0, noise, y.id, logSumExp.id, 0)
    const backward = () =>
      native.attentionBackward(dy.id, qkv.id, firstRow.id, y.id, logSumExp.id, layout, scale, 0, noise, dqkv.id, 0)
    forward()
    const amount = attentionFlops(shape, direction)
    const calls = callsFor(amount, peaks.f32.all / 2)
    const row = await measure(setting, {
      what,
      of: 'f32',
      amount,
      run: () => timeCalls(device, calls, direction === 'forward' ? forward : backward),
      // One call of a peer that stores all scores takes long enough to be timed.
      peers: peers.map(peer => peer.contender(`${dtype} ${direction} ${batch} ${length} ${heads} ${width}`, 1)),
      repeats: quick ? 3 : 7,
    })
    return {
      ...row,
      targets: [atLeast('of peak', targets[direction], row.share.value, '%')],
    }
  })
}
