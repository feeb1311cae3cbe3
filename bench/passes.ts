/** Operations that pass once over memory, against the machine's bandwidth. */
import { native } from '../src/native.ts'
import { adamw, add, cast, l2Norm, layerNorm } from '../src/ops/index.ts'
import { elementBytes, full, scope, type Tensor, zeros } from '../src/tensor/index.ts'
import { measure } from './harness/measure.ts'
import { type FloatType, floatTypes, type Question, type Setting } from './harness/question.ts'
import { atLeast, type Row } from './harness/report.ts'
import { timeCalls } from './harness/timing.ts'

interface Pass {
  what: string
  /** Bytes read and written for each element. */
  bytes: number
  /** What it is held against: reading, copying, or changing in place. */
  of: 'read' | 'copy' | 'update'
  target?: number
  work: () => void
}

/** Columns of the matrices. */
const width = 2048

export const passes: Question = {
  name: 'passes',
  asks: 'passes over memory far larger than the caches: bytes that must be read and written, against the bandwidth measured beside it',
  answer: async setting => {
    const rows: Row[] = []
    for (const dtype of floatTypes) {
      await scope(async () => {
        for (const pass of makePasses(setting, dtype)) if (setting.wanted(pass.what)) rows.push(await ask(setting, pass))
      })
      await setting.device.trim()
    }
    return rows
  },
}

function elements(quick: boolean): number {
  return quick ? 2 ** 20 : 2 ** 26
}

async function ask(setting: Setting, { what, bytes, of, target, work }: Pass): Promise<Row> {
  const { device, quick } = setting
  const amount = bytes * elements(quick)
  const row = await measure(setting, { what, of, amount, run: () => timeCalls(device, 1, work), repeats: quick ? 3 : 9 })
  return target === undefined ? row : { ...row, targets: [atLeast('of bandwidth', target, row.share.value, '%')] }
}

function makePasses({ device, quick }: Setting, dtype: FloatType): Pass[] {
  const size = elements(quick)
  const e = elementBytes[dtype]
  const matrix = (value: number) => full([size / width, width], value, { dtype, device })
  const [x, y, dsum] = [matrix(1), matrix(0.5), matrix(0.25)]
  const [gamma, beta] = [full([width], 1, { dtype, device }), full([width], 0, { dtype, device })]
  const statistics = () => zeros([size / width], { device })
  const [mean, rstd] = [statistics(), statistics()]
  const gradients = [zeros([width], { device }), zeros([width], { device })] as const
  const flat = (tensor: Tensor) => tensor.reshape([size])
  const state = () => full([size], 0.01, { device })
  const [gradient, m, v] = [state(), state(), state()]
  const master = dtype === 'bf16' ? state() : undefined
  const rates = { lr: 1e-4, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, gradientScale: 1, step: 1 }
  const parameter = flat(x)
  native.layerNorm(y.id, 0, gamma.id, beta.id, 1e-5, 0, dsum.id, mean.id, rstd.id)
  const passes: Pass[] = [
    {
      what: `${dtype} AdamW`,
      // Gradient read; moments read and written; so the parameter, or its master with the parameter written beside it.
      bytes: 4 + 16 + (master ? 8 + e : 2 * e),
      of: 'update',
      target: 0.8,
      work: () => adamw({ parameter, master, gradient, m, v }, rates),
    },
    {
      what: `${dtype} layer norm`,
      bytes: 2 * e,
      of: 'copy',
      target: 0.8,
      work: () => void layerNorm(x, gamma, beta),
    },
    {
      what: `${dtype} layer norm with residual`,
      bytes: 4 * e,
      of: 'copy',
      target: 0.8,
      work: () => void layerNorm(x, gamma, beta, { residual: y }),
    },
    {
      what: `${dtype} layer norm, backward`,
      // dy, h and the gradient of the residual path read, dx written over that.
      bytes: 4 * e,
      of: 'copy',
      target: 0.8,
      work: () =>
        native.layerNormBackward(x.id, y.id, gamma.id, mean.id, rstd.id, dsum.id, dsum.id, gradients[0].id, gradients[1].id),
    },
    { what: `${dtype} add`, bytes: 3 * e, of: 'copy', work: () => void add(x, y) },
    {
      what: `cast ${dtype} to ${dtype === 'f32' ? 'bf16' : 'f32'}`,
      bytes: 6,
      of: 'copy',
      work: () => void cast(x, dtype === 'f32' ? 'bf16' : 'f32'),
    },
  ]
  if (dtype === 'f32') passes.push({ what: 'f32 l2Norm', bytes: 4, of: 'read', work: () => void l2Norm(gradient) })
  return passes
}
