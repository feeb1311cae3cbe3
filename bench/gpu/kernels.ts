/** Every kernel at the shapes of a training step of StarCoderBase-1B: micro-batches of 4 sequences of 2048 tokens. */
import { type HeadLayout, native } from '../../src/native.ts'
import { adamw, add, cast, l2Norm, layerNorm, linear, linearCrossEntropy, sample } from '../../src/ops/index.ts'
import { elementBytes, full, randomNormal, scope, type Tensor, tensor, zeros } from '../../src/tensor/index.ts'
import { attentionFlops } from '../attention.ts'
import type { FloatType } from '../harness/question.ts'
import type { Row } from '../harness/report.ts'
import { type Bench, type Case, measureCase } from './measure.ts'

interface Shape {
  batch: number
  length: number
  width: number
  heads: number
  vocabulary: number
  /** Elements of the flat buffers that the optimizer passes over. */
  flat: number
}
const large: Shape = { batch: 4, length: 2048, width: 2048, heads: 16, vocabulary: 49152, flat: 2 ** 27 }
const tiny: Shape = { batch: 2, length: 16, width: 64, heads: 4, vocabulary: 96, flat: 2 ** 12 }

type Make = (bench: Bench, dtype: FloatType, shape: Shape) => Case[]

export async function measureKernels(bench: Bench): Promise<Row[]> {
  const shape = bench.quick ? tiny : large
  const rows: Row[] = []
  for (const dtype of ['bf16', 'f32'] as const)
    for (const make of [products, attention, decoding, loss, norms, optimizer, passes, sampling]) {
      await scope(async () => {
        for (const one of make(bench, dtype, shape)) {
          const row = bench.wanted(one.what) ? await measureCase(bench, one) : undefined
          if (row) rows.push(row)
        }
      })
      await bench.device.trim()
    }
  return rows
}

const products: Make = ({ device }, dtype, { batch, length, width: D, heads }) => {
  const N = batch * length
  const options = { dtype, device }
  const random = (rows: number, columns: number, seed: number) =>
    randomNormal([rows, columns], { ...options, std: 0.05, random: [seed, 0, 0, 0] })
  const layers = [
    { name: 'qkv', from: D, to: D + (2 * D) / heads, activation: 'none' },
    { name: 'proj', from: D, to: D, activation: 'none' },
    { name: 'fc + GELU', from: D, to: 4 * D, activation: 'geluTanh' },
    { name: 'mlp proj', from: 4 * D, to: D, activation: 'none' },
  ] as const
  return layers.flatMap(({ name, from, to, activation }) => {
    const [x, weight, dy] = [random(N, from, 1), random(to, from, 2), random(N, to, 3)]
    const [bias, dx, dweight, dbias] = [
      zeros([to], options),
      zeros([N, from], options),
      zeros([to, from], { device }),
      zeros([to], { device }),
    ]
    const preactivation = activation === 'none' ? 0 : dy.id
    const code = activation === 'none' ? 0 : 2
    const e = elementBytes[dtype]
    const flops = 2 * N * from * to
    const shape = `${N} × ${from} × ${to}`
    const peer = (product: string) => `linear ${dtype} ${product} ${N} ${from} ${to} ${activation}`
    const [input, output, parameters] = [N * from, N * to, from * to]
    return [
      {
        what: `${dtype} linear ${name} forward ${shape}`,
        of: dtype,
        flops,
        bytes: e * (input + output * (activation === 'none' ? 1 : 2) + parameters),
        work: () => void linear(x, weight, bias, activation),
        peer: peer('forward'),
      },
      {
        what: `${dtype} linear ${name} dx ${shape}`,
        of: dtype,
        flops,
        bytes: e * (input + output * (activation === 'none' ? 1 : 2) + parameters),
        work: () => native.linearBackward(dy.id, x.id, weight.id, preactivation, code, dx.id, 0, 0),
        peer: peer('dx'),
      },
      {
        what: `${dtype} linear ${name} dweight, dbias ${shape}`,
        of: dtype,
        flops,
        bytes: e * (input + output * (activation === 'none' ? 1 : 2)) + 8 * parameters,
        work: () => native.linearBackward(dy.id, x.id, weight.id, preactivation, code, 0, dweight.id, dbias.id),
        peer: peer('dweight'),
      },
    ]
  })
}

const attention: Make = ({ device }, dtype, { batch, length, width: D, heads }) => {
  const N = batch * length
  const K = D / heads
  const options = { dtype, device }
  const random = (columns: number, seed: number) => randomNormal([N, columns], { ...options, random: [seed, 0, 0, 0] })
  const layout: HeadLayout = [heads, 1, K]
  const [qkv, dy] = [random(D + 2 * K, 1), random(D, 2)]
  const firstRow = tensor(
    Int32Array.from({ length: N }, (_, row) => row - (row % length)),
    [N],
    { device },
  )
  const [y, dqkv, logSumExp] = [zeros([N, D], options), zeros(qkv.shape, options), zeros([heads, N], { device })]
  const [scale, noise] = [1 / Math.sqrt(K), [0, 0, 0, 0]] as const
  const e = elementBytes[dtype]
  const name = `${batch} × T ${length}, H ${heads}, K ${K}`
  const flops = (direction: 'forward' | 'backward') => attentionFlops({ batch, length, heads, width: K }, direction)
  return [
    {
      what: `${dtype} attention forward ${name}`,
      of: dtype,
      flops: flops('forward'),
      bytes: e * N * (2 * D + 2 * K) + 4 * heads * N,
      work: () => native.attention(qkv.id, firstRow.id, layout, scale, 0, noise, y.id, logSumExp.id, 0),
      peer: `attention ${dtype} forward ${batch} ${length} ${heads} ${K}`,
    },
    {
      what: `${dtype} attention backward ${name}`,
      of: dtype,
      flops: flops('backward'),
      bytes: e * N * (4 * D + 4 * K) + 4 * heads * N,
      work: () => native.attentionBackward(dy.id, qkv.id, firstRow.id, y.id, logSumExp.id, layout, scale, 0, noise, dqkv.id, 0),
      peer: `attention ${dtype} backward ${batch} ${length} ${heads} ${K}`,
    },
  ]
}

const decoding: Make = ({ device, quick }, dtype, { length, width: D, heads }) => {
  const batch = quick ? 2 : 16
  const K = D / heads
  const options = { dtype, device }
  const layout: HeadLayout = [heads, 1, K]
  const qkv = randomNormal([batch, D + 2 * K], { ...options, random: [1, 0, 0, 0] })
  const [keys, values] = [full([batch, length, K], 0.1, options), full([batch, length, K], 0.1, options)]
  const integers = (values: ArrayLike<number>) => tensor(Int32Array.from(values), [values.length], { device })
  const slots = integers(Array.from({ length: batch }, (_, b) => (b + 1) * length - 1))
  const lengths = integers(Array.from({ length: batch }, () => length))
  const y = zeros([batch, D], options)
  const e = elementBytes[dtype]
  return [
    {
      what: `${dtype} attention decode, ${batch} × ${length} cached`,
      of: 'read',
      bytes: e * (2 * batch * length * K + 2 * batch * D),
      work: () => native.attentionDecode(qkv.id, keys.id, values.id, lengths.id, layout, 1 / Math.sqrt(K), y.id),
    },
    {
      what: `${dtype} cache write, ${batch} tokens`,
      of: 'copy',
      bytes: 4 * e * batch * K,
      work: () => native.cacheWrite(qkv.id, slots.id, layout, keys.id, values.id),
    },
  ]
}

const loss: Make = ({ device }, dtype, { batch, length, width: D, vocabulary: V }) => {
  const N = batch * length
  const h = randomNormal([N, D], { dtype, device, random: [1, 0, 0, 0] })
  const weight = randomNormal([V, D], { dtype, device, std: 0.02, random: [2, 0, 0, 0] })
  const targets = tensor(
    Int32Array.from({ length: N }, (_, row) => (7 * row) % V),
    [N],
    { device },
  )
  const [weights, losses] = [full([N], 1 / N, { device }), zeros([N], { device })]
  const [dh, dweight] = [zeros([N, D], { dtype, device }), zeros([V, D], { device })]
  const e = elementBytes[dtype]
  return [
    {
      what: `${dtype} loss and gradients ${N} × ${D} × ${V}`,
      of: dtype,
      // The logits, dh and dweight; that logits are computed once more to save memory is no gain.
      flops: 3 * 2 * N * D * V,
      bytes: e * (2 * N * D + V * D) + 8 * V * D,
      work: () => native.linearCrossEntropy(h.id, weight.id, targets.id, weights.id, losses.id, dh.id, dweight.id, 0),
      peer: `loss ${dtype} ${N} ${D} ${V}`,
    },
    {
      what: `${dtype} loss alone ${N} × ${D} × ${V}`,
      of: dtype,
      flops: 2 * N * D * V,
      bytes: e * (N * D + V * D),
      work: () => void linearCrossEntropy(h, weight, targets),
    },
  ]
}

const norms: Make = ({ device }, dtype, { batch, length, width: D }) => {
  const N = batch * length
  const options = { dtype, device }
  const matrix = (value: number) => full([N, D], value, options)
  const [x, y, dsum] = [matrix(1), matrix(0.5), matrix(0.25)]
  const [gamma, beta, mean, rstd] = [full([D], 1, options), zeros([D], options), zeros([N], { device }), zeros([N], { device })]
  const [dgamma, dbeta] = [zeros([D], { device }), zeros([D], { device })]
  native.layerNorm(y.id, 0, gamma.id, beta.id, 1e-5, 0, dsum.id, mean.id, rstd.id)
  const e = elementBytes[dtype]
  const name = `${N} × ${D}`
  return [
    {
      what: `${dtype} layer norm ${name}`,
      of: 'copy',
      bytes: 2 * e * N * D,
      work: () => void layerNorm(x, gamma, beta),
      peer: `layerNorm ${dtype} forward ${N} ${D}`,
    },
    {
      what: `${dtype} layer norm with residual ${name}`,
      of: 'copy',
      bytes: 4 * e * N * D,
      work: () => void layerNorm(x, gamma, beta, { residual: y }),
    },
    {
      what: `${dtype} layer norm backward ${name}`,
      of: 'copy',
      bytes: 4 * e * N * D,
      work: () => native.layerNormBackward(x.id, y.id, gamma.id, mean.id, rstd.id, dsum.id, dsum.id, dgamma.id, dbeta.id),
      peer: `layerNorm ${dtype} backward ${N} ${D}`,
    },
  ]
}

const optimizer: Make = ({ device }, dtype, { flat }) => {
  const e = elementBytes[dtype]
  const parameter = full([flat], 0.5, { dtype, device })
  const state = () => full([flat], 0.01, { device })
  const [gradient, m, v] = [state(), state(), state()]
  const master = dtype === 'bf16' ? state() : undefined
  const settings = { lr: 1e-4, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, gradientScale: 1, step: 1 }
  const rounding = { random: [1, 2, 3, 4] as const, first: 0 }
  const cases: Case[] = [
    {
      what: `${dtype} AdamW, ${flat} parameters`,
      of: 'update',
      // Gradient read; moments read and written; so the parameter, or its master with the parameter written beside it.
      bytes: flat * (4 + 16 + (master ? 8 + e : 2 * e)),
      work: () => adamw({ parameter, master, gradient, m, v }, settings),
      peer: `adamw ${dtype} ${flat}`,
    },
  ]
  if (dtype === 'bf16')
    cases.push({
      what: `bf16 AdamW rounded stochastically, ${flat} parameters`,
      of: 'update',
      bytes: flat * (4 + 16 + 2 * e),
      work: () => adamw({ parameter, master: undefined, gradient, m, v }, { ...settings, rounding }),
    })
  else cases.push({ what: `norm of ${flat} gradients`, of: 'read', bytes: 4 * flat, work: () => void l2Norm(gradient) })
  return cases
}

const passes: Make = ({ device }, dtype, { batch, length, width: D, vocabulary: V }) => {
  const N = batch * length
  const e = elementBytes[dtype]
  const options = { dtype, device }
  const [x, y] = [full([N, D], 1, options), full([N, D], 0.5, options)]
  const noise = [1, 2, 3, 4] as const
  const integers = (most: number): Tensor =>
    tensor(
      Int32Array.from({ length: N }, (_, row) => (31 * row) % most),
      [N],
      { device },
    )
  const [tokens, positions] = [integers(V), integers(length)]
  const [tokenTable, positionTable] = [full([V, D], 0.1, options), full([length, D], 0.1, options)]
  const [dtokens, dpositions] = [zeros([V, D], { device }), zeros([length, D], { device })]
  return [
    { what: `${dtype} add ${N} × ${D}`, of: 'copy', bytes: 3 * e * N * D, work: () => void add(x, y) },
    {
      what: `cast ${dtype} to ${dtype === 'f32' ? 'bf16' : 'f32'} ${N} × ${D}`,
      of: 'copy',
      bytes: 6 * N * D,
      work: () => void cast(x, dtype === 'f32' ? 'bf16' : 'f32'),
    },
    {
      what: `${dtype} dropout ${N} × ${D}`,
      of: 'copy',
      bytes: 2 * e * N * D,
      work: () => native.dropout(x.id, 0.1, noise, y.id, 0),
    },
    {
      what: `${dtype} random normal ${N} × ${D}`,
      of: 'copy',
      bytes: e * N * D,
      work: () => native.randomNormal(y.id, 0, 1, noise),
    },
    {
      what: `${dtype} embedding ${N} × ${D}`,
      of: 'copy',
      bytes: 3 * e * N * D,
      work: () => native.embedding(tokens.id, positions.id, tokenTable.id, positionTable.id, y.id),
    },
    {
      what: `${dtype} embedding backward ${N} × ${D}`,
      of: 'copy',
      bytes: 2 * (e + 8) * N * D,
      work: () => native.embeddingBackward(x.id, tokens.id, positions.id, dtokens.id, dpositions.id),
    },
  ]
}

const sampling: Make = ({ device, quick }, dtype, { vocabulary: V }) => {
  const batch = quick ? 2 : 16
  const logits = randomNormal([batch, V], { dtype, device, std: 3, random: [1, 0, 0, 0] })
  const random = [1, 2, 3, 4] as const
  const bytes = elementBytes[dtype] * batch * V
  const name = `${batch} × ${V}`
  return [
    { what: `${dtype} greedy choice ${name}`, of: 'read', bytes, work: () => void sample(logits) },
    { what: `${dtype} sample ${name}`, of: 'read', bytes, work: () => void sample(logits, { temperature: 1, random }) },
    {
      what: `${dtype} sample, top-k 50, top-p 0.95 ${name}`,
      of: 'read',
      bytes,
      work: () => void sample(logits, { temperature: 0.8, topK: 50, topP: 0.95, random }),
    },
    {
      what: `${dtype} sample, top-p 0.95 ${name}`,
      of: 'read',
      bytes,
      work: () => void sample(logits, { temperature: 1, topP: 0.95, random }),
    },
  ]
}
