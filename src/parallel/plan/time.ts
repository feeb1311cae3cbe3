/** How long a parallel training step takes, from the model's shape, the layout and what the machine can do. */
import { type GPTBigCodeConfig, innerWidth, trainingFlopsPerToken } from '../../models/index.ts'
import { elementBytes } from '../../tensor/index.ts'
import { type GroupKind, groupOf, worldSize } from '../layout.ts'
import { pipelineTime, type StageTimes } from '../simulate.ts'
import type { BatchShape, PlannedLayout } from './layout.ts'
import { linkOf, type Machine } from './machines.ts'
import { type PlanDType, rankParameters } from './memory.ts'

export interface TimeOptions {
  dtype?: PlanDType
  /** 'fused' (default): nothing of size length² is stored. 'unfused': scores and weights go through memory, as in Megatron without flash attention. */
  attention?: 'fused' | 'unfused'
}

/** Communication of one kind on the busiest rank, in a step. */
export interface Traffic {
  group: GroupKind
  what: string
  calls: number
  /** That the rank sends, in all calls. */
  bytes: number
  seconds: number
  over: string
}

/** Seconds of one micro-batch in one stage. */
export interface StageSeconds {
  gemm: number
  attention: number
  /** Element-wise work, bound by memory. */
  memory: number
  /** Collectives of the tensor group. */
  tensor: number
}

export interface StepTime {
  /** By stage c·P + p: forward, and backward with recomputation. */
  forward: StageSeconds[]
  backward: StageSeconds[]
  /** From the end of a step until its output is at the next stage. */
  transfer: number
  /** All micro-batches through the pipeline. */
  pipeline: number
  bubble: number
  /** After the last backward: gradients and parameters over the data group, the tied embedding, the optimizer. Not overlapped with anything. */
  reduction: number
  embedding: number
  optimizer: number
  step: number
  tokensPerSecond: number
  /** Model FLOP/s of a device; recomputation is not counted. */
  modelFlops: number
  /** With recomputation. */
  hardwareFlops: number
  /** modelFlops over the machine's peak. */
  mfu: number
  traffic: Traffic[]
}

export const stageTotal = ({ gemm, attention, memory, tensor }: StageSeconds) => gemm + attention + memory + tensor

/**
 * The model of time, all of it:
 * - A product of m × k and k × n takes 2·m·n·k FLOPs at peak·gemm·s/(s + gemmHalf), s = ∛(m·n·k); the backward pass has two of each.
 * - Fused attention is counted causal (half the square), forward once and backward 2.5 times (it recomputes the scores), at
 *   peak·attention. Unfused it is the whole square, twice backward, and its 13 + 19 bytes a score go through memory.
 * - Norms, residuals and activation functions take their bytes at memoryBandwidth·memory; the optimizer 38 bytes a parameter
 *   in bf16 (34 of them divided by ZeRO).
 * - A ring over R ranks sends (R − 1)/R of a tensor for an all-gather or a reduce-scatter and twice that for an all-reduce, at
 *   bandwidth·link of its narrowest link, and waits R − 1 latencies (twice for an all-reduce).
 * - A micro-batch in a stage takes the sum of these: tensor-parallel collectives are not overlapped. Sends between stages are,
 *   but the receiver waits for them. The pipeline is simulated. Then follow, one after another: reduction of gradients (f32) and
 *   gathering of parameters over the data group, the tied embedding's gradient, the optimizer.
 * Not in it: data loading, kernel launches, checkpoints, evaluations, failures, and slower devices among many.
 */
export function stepTime(
  config: GPTBigCodeConfig,
  batch: BatchShape,
  layout: PlannedLayout,
  machine: Machine,
  options: TimeOptions = {},
): StepTime {
  const { dtype = 'bf16' } = options
  const { pipeline, chunks, microBatches, layersPerStage, rows, rowShards } = layout
  const stages = layersPerStage.map((_, stage) => stageSeconds(config, batch, layout, machine, options, stage))
  const traffic = tensorTraffic(config, layout, machine, dtype)
  const boundary = (rows / rowShards) * config.nEmbd * elementBytes[dtype]
  const hop = pipeline > 1 ? linkOf(machine, groupOf(layout, 'pipeline', 0)!.slice(0, 2)) : undefined
  const transfer = hop ? hop.latency + boundary / hop.bandwidth : 0
  if (hop) {
    const calls = 2 * microBatches * chunks
    const bytes = calls * boundary
    traffic.push({
      group: 'pipeline',
      what: 'activations and their gradients between stages',
      calls,
      bytes,
      seconds: calls * transfer,
      over: hop.where,
    })
  }
  const times: StageTimes = {
    forward: stage => stageTotal(stages[stage]!.forward),
    backward: stage => stageTotal(stages[stage]!.backward),
    transfer: () => transfer,
  }
  const passed = pipelineTime({ stages: pipeline, chunks, microBatches }, times)
  const after = afterPipeline(config, layout, machine, dtype)
  const step = passed.total + after.reduction + after.embedding + after.optimizer
  const tokensPerSecond = (batch.sequences * batch.length) / step
  const perDevice = tokensPerSecond / worldSize(layout)
  const modelFlops = trainingFlopsPerToken(config, batch.length) * perDevice
  const blocks = trainingFlopsPerToken({ ...config, vocabSize: 0 }, batch.length)
  const hardwareFlops = modelFlops + (layout.checkpointing ? (blocks / 3) * perDevice : 0)
  return {
    forward: stages.map(({ forward }) => forward),
    backward: stages.map(({ backward }) => backward),
    transfer,
    pipeline: passed.total,
    bubble: passed.bubble,
    reduction: after.reduction,
    embedding: after.embedding,
    optimizer: after.optimizer,
    step,
    tokensPerSecond,
    modelFlops,
    hardwareFlops,
    mfu: modelFlops / machine.peak[dtype],
    traffic: [...traffic, ...after.traffic],
  }
}

/** Seconds of a micro-batch in a stage. */
function stageSeconds(
  config: GPTBigCodeConfig,
  { length }: BatchShape,
  layout: PlannedLayout,
  machine: Machine,
  { dtype = 'bf16', attention = 'fused' }: TimeOptions,
  stage: number,
): { forward: StageSeconds; backward: StageSeconds } {
  const { nEmbd: D, nHead: H, multiQuery } = config
  const { tensor: T, rows: N, rowShards: S, layersPerStage, checkpointing, vocabularyRows } = layout
  const { shares } = machine
  const peak = machine.peak[dtype]
  const memorySpeed = machine.memoryBandwidth * shares.memory
  const F = innerWidth(config)
  const L = layersPerStage[stage]!
  const e = elementBytes[dtype]
  const gemm = (n: number, k: number) => {
    const side = Math.cbrt(N * n * k)
    return (2 * N * n * k) / (peak * shares.gemm * (side / (side + shares.gemmHalf)))
  }
  const keyValue = multiQuery ? (2 * D) / H : (2 * D) / T
  const products = gemm(D / T + keyValue, D) + gemm(D, D / T) + gemm(F / T, D) + gemm(D, F / T)
  const square = (4 * N * length * D) / T / (peak * shares.attention)
  const scores = (N * length * H) / T / memorySpeed
  const causal = (length + 1) / (2 * length)
  const [attend, attendBack] =
    attention === 'fused' ? [square * causal, 2.5 * square * causal] : [square + 13 * scores, 2 * square + 19 * scores]
  // Each norm reads the stream and the branch, and writes their sum and its output; the activation function writes two tensors of F.
  const elementwise = (N * e * ((8 * D) / S + (2 * F) / T)) / memorySpeed
  const elementwiseBack = (N * e * ((16 * D) / S + (3 * F) / T)) / memorySpeed
  const calls = tensorCalls(config, layout, machine, dtype)
  const again = checkpointing ? 1 : 0
  const [isFirst, isLast] = [stage === 0, stage === layersPerStage.length - 1]
  const head = isLast ? gemm(vocabularyRows, D) : 0
  // f32 logits: written, read for the maximum and the sum, and turned into their gradient.
  const logits = isLast ? (N * vocabularyRows * 16) / memorySpeed : 0
  const lookUp = isFirst ? (N * D * e * 3) / memorySpeed : 0
  const ends = (isFirst ? calls.embedding.seconds : 0) + (isLast ? calls.head.seconds : 0)
  const endsBack = (isFirst ? calls.embeddingBack.seconds : 0) + (isLast ? calls.headBack.seconds : 0)
  return {
    forward: {
      gemm: L * products + head,
      attention: L * attend,
      memory: L * elementwise + logits + lookUp,
      tensor: L * calls.block.seconds + ends,
    },
    backward: {
      gemm: L * (2 + again) * products + 2 * head,
      attention: L * (attendBack + again * attend),
      memory: L * (elementwiseBack + again * elementwise) + logits + lookUp,
      tensor: L * (calls.blockBack.seconds + again * calls.block.seconds) + endsBack,
    },
  }
}

interface Calls {
  calls: number
  bytes: number
  seconds: number
}

/** Collectives of the tensor group: of a block, of the embedding and of the head, for a micro-batch. */
function tensorCalls(config: GPTBigCodeConfig, layout: PlannedLayout, machine: Machine, dtype: PlanDType) {
  const { tensor: T, rows: N, sequenceParallel } = layout
  const { nEmbd: D, nHead: H, multiQuery } = config
  const none = { calls: 0, bytes: 0, seconds: 0 }
  if (T === 1) return { block: none, blockBack: none, embedding: none, embeddingBack: none, head: none, headBack: none }
  const link = linkOf(machine, groupOf(layout, 'tensor', 0)!)
  const e = elementBytes[dtype]
  /** `halves`: 1 for an all-gather or a reduce-scatter, 2 for an all-reduce. */
  const ring = (halves: number, bytes: number): Calls => {
    const sent = (halves * bytes * (T - 1)) / T
    return { calls: 1, bytes: sent, seconds: halves * (T - 1) * link.latency + sent / link.bandwidth }
  }
  const rows = N * D * e
  const sum = (...parts: Calls[]): Calls => ({
    calls: parts.reduce((total, part) => total + part.calls, 0),
    bytes: parts.reduce((total, part) => total + part.bytes, 0),
    seconds: parts.reduce((total, part) => total + part.seconds, 0),
  })
  const keyValue = multiQuery ? [ring(2, (N * 2 * D * e) / H)] : []
  const half = ring(1, rows)
  const whole = ring(2, rows)
  // Maximum, target's logit and sum of exponentials of each row.
  const crossEntropy = [1, 2, 3].map(() => ring(2, N * 4))
  if (!sequenceParallel) {
    return {
      block: sum(whole, whole),
      blockBack: sum(whole, whole, ...keyValue),
      embedding: whole,
      embeddingBack: none,
      head: sum(...crossEntropy),
      headBack: whole,
    }
  }
  return {
    block: sum(half, half, half, half),
    // The gathered inputs of the two column-parallel products are gathered once more: only the rank's rows of them are saved.
    blockBack: sum(half, half, half, half, half, half, ...keyValue),
    embedding: half,
    embeddingBack: half,
    head: sum(half, ...crossEntropy),
    headBack: half,
  }
}

/** A step's traffic of the tensor group, on the rank that has most: the one of the last stage or of the first. */
function tensorTraffic(config: GPTBigCodeConfig, layout: PlannedLayout, machine: Machine, dtype: PlanDType): Traffic[] {
  const { tensor, pipeline, chunks, layersPerStage, microBatches, checkpointing, sequenceParallel } = layout
  if (tensor === 1) return []
  const calls = tensorCalls(config, layout, machine, dtype)
  const { where } = linkOf(machine, groupOf(layout, 'tensor', 0)!)
  const layersOf = (rank: number) =>
    Array.from({ length: chunks }, (_, chunk) => layersPerStage[chunk * pipeline + rank]!).reduce((sum, count) => sum + count)
  const layers = Math.max(...Array.from({ length: pipeline }, (_, rank) => layersOf(rank)))
  const times = (part: Calls, count: number) => ({
    calls: part.calls * count,
    bytes: part.bytes * count,
    seconds: part.seconds * count,
  })
  const collective = sequenceParallel ? 'all-gather and reduce-scatter' : 'all-reduce'
  const line = (what: string, part: Calls, count: number): Traffic => ({
    group: 'tensor',
    what,
    ...times(part, count),
    over: where,
  })
  return [
    line(`${collective}, blocks forward`, calls.block, layers * microBatches * (checkpointing ? 2 : 1)),
    line(`${collective}, blocks backward`, calls.blockBack, layers * microBatches),
    line('embedding (first stage)', calls.embedding, microBatches),
    line('head and its loss (last stage)', calls.head, microBatches),
    line('head backward (last stage)', calls.headBack, microBatches),
  ]
}

/** What comes after the last micro-batch, on the rank with most parameters. */
function afterPipeline(config: GPTBigCodeConfig, layout: PlannedLayout, machine: Machine, dtype: PlanDType) {
  const { pipeline, data, zero, vocabularyRows } = layout
  const e = elementBytes[dtype]
  const count = Math.max(...Array.from({ length: pipeline }, (_, rank) => rankParameters(config, layout, rank)))
  const traffic: Traffic[] = []
  if (data > 1) {
    const { bandwidth, latency, where } = linkOf(machine, groupOf(layout, 'data', 0)!)
    const add = (what: string, halves: number, bytes: number) => {
      const sent = (halves * bytes * (data - 1)) / data
      traffic.push({
        group: 'data',
        what,
        calls: 1,
        bytes: sent,
        seconds: halves * (data - 1) * latency + sent / bandwidth,
        over: where,
      })
    }
    if (zero) {
      add('reduce-scatter of gradients', 1, 4 * count)
      add('all-gather of parameters', 1, e * count)
    } else add('all-reduce of gradients', 2, 4 * count)
  }
  const reduction = traffic.reduce((sum, { seconds }) => sum + seconds, 0)
  let embedding = 0
  if (pipeline > 1) {
    const { bandwidth, latency, where } = linkOf(machine, groupOf(layout, 'embedding', 0)!)
    const bytes = 4 * vocabularyRows * config.nEmbd
    embedding = 2 * latency + bytes / bandwidth
    traffic.push({
      group: 'embedding',
      what: "all-reduce of the tied embedding's gradient",
      calls: 1,
      bytes,
      seconds: embedding,
      over: where,
    })
  }
  // Zeroed gradients 4. Divided: their norm 4, AdamW's gradient 4 and moments 16, master weights 8 (or f32 parameters 4), and the new parameter.
  const divided = (dtype === 'bf16' ? 32 : 28) + e
  const optimizer = (count * (4 + divided / (zero ? data : 1))) / (machine.memoryBandwidth * machine.shares.memory)
  return { reduction, embedding, optimizer, traffic }
}
