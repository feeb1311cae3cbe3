/** A whole training step (forward, loss, backward, clipping, AdamW) through the Learner, and the same step in PyTorch. */
import type { GlobalBatch } from '../src/data/index.ts'
import { GPTBigCode } from '../src/models/index.ts'
import { adamW } from '../src/optim/index.ts'
import type { Device } from '../src/tensor/index.ts'
import { SingleLearner } from '../src/train/index.ts'
import { measure } from './harness/measure.ts'
import { randomBatch, type Shape, shapes } from './harness/models.ts'
import { type Peer, torchPeer } from './harness/peers.ts'
import { type FloatType, floatTypes, type Question, type Setting, withPeers } from './harness/question.ts'
import { againstPeer, atLeast, type Row } from './harness/report.ts'

interface Case {
  shape: Shape
  length: number
  batch: number
  targets: Record<FloatType, { share?: number; torch: number }>
}

const cases: readonly Case[] = [
  { shape: shapes['110M'], length: 512, batch: 2, targets: { f32: { share: 0.65, torch: 2 }, bf16: { share: 0.5, torch: 2 } } },
  { shape: shapes.small, length: 256, batch: 8, targets: { f32: { torch: 2.5 }, bf16: { torch: 1.5 } } },
]
const quickCases: readonly Case[] = [
  { shape: shapes.tiny, length: 64, batch: 2, targets: { f32: { torch: 1 }, bf16: { torch: 1 } } },
]

export const train: Question = {
  name: 'train',
  asks: 'a whole training step: forward, loss, backward, clipping, AdamW',
  answer: setting =>
    withPeers(setting, [() => torchPeer('gpt_bigcode.py', setting.machine.threads)], async peers => {
      const rows: Row[] = []
      for (const one of setting.quick ? quickCases : cases)
        for (const dtype of floatTypes) {
          const what = `${dtype} ${one.shape.name}, ${one.batch} × ${one.length} tokens`
          if (setting.wanted(what)) rows.push(await ask(setting, peers, what, one, dtype))
        }
      return rows
    }),
}

async function ask(
  setting: Setting,
  peers: readonly Peer[],
  what: string,
  { shape, length, batch, targets }: Case,
  dtype: FloatType,
): Promise<Row> {
  const { device, quick } = setting
  const { nLayer, nEmbd, nHead, vocabSize } = shape.config
  using model = GPTBigCode.create({ ...shape.config, nPositions: length }, { dtype, device })
  const learner = new SingleLearner(model, adamW({ lr: 1e-4 }), batch)
  try {
    const tokens = randomBatch(vocabSize, length, batch)
    const row = await measure(setting, {
      what,
      of: dtype,
      amount: tokens.tokens * model.flopsPerToken(length),
      run: () => timeStep(device, learner, tokens),
      peers: peers.map(peer => peer.contender(`${dtype} ${nLayer} ${nEmbd} ${nHead} ${vocabSize} ${length} ${batch}`, 1)),
      repeats: quick ? 3 : 5,
    })
    const { share, torch } = targets[dtype]
    return {
      ...row,
      numbers: { 'tokens/s': tokens.tokens / row.time.median, ...row.numbers },
      targets: [...(share ? [atLeast('of peak', share, row.share.value, '%')] : []), ...againstPeer('torch', torch, row)],
    }
  } finally {
    learner.dispose()
  }
}

async function timeStep(device: Device, learner: SingleLearner, batch: GlobalBatch): Promise<number> {
  const started = performance.now()
  await learner.step(batch, 1e-4)
  await device.synchronize()
  return (performance.now() - started) / 1000
}
