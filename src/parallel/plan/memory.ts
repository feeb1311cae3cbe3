/** Bytes that a rank holds when a parallel training step holds most, by kind and by pipeline rank. */

import { type GPTBigCodeConfig, innerWidth } from '../../models/index.ts'
import { elementBytes } from '../../tensor/index.ts'
import { bucketElements } from '../gradients.ts'
import { pipelineSchedule } from '../schedule.ts'
import type { PlannedLayout } from './layout.ts'

export interface RankBytes {
  parameters: number
  /** Main gradients, f32, whole on every rank. */
  gradients: number
  /** AdamW's two moments, f32; divided over the data group with ZeRO-1. */
  moments: number
  /** f32 master weights beside bf16 parameters; divided as the moments are. */
  master: number
  /** What the tapes of all micro-batches in flight save, and the temporaries of the one that is computed. */
  activations: number
  /** What arrives and leaves: activations between stages, updated shards. */
  communication: number
  /** The head's f32 logits of a piece of rows. */
  workspace: number
  total: number
}

export type PlanDType = 'f32' | 'bf16'

/** Rows whose f32 logits exist at once. */
export const logitRows = 512

/** Elements of the parameters of a tensor rank: of one block, and of what the first and the last stage have beside their blocks. */
export function shardParameters(config: GPTBigCodeConfig, { tensor: T, vocabularyRows }: PlannedLayout) {
  const { nEmbd: D, nHead, nPositions, multiQuery } = config
  const F = innerWidth(config)
  const keyValue = multiQuery ? (2 * D) / nHead : (2 * D) / T
  const norms = 4 * D
  // Column-parallel weights have their biases split with them; row-parallel ones add a whole bias after the reduction.
  const attention = (D / T + keyValue) * (D + 1) + (D * D) / T + D
  const mlp = (F / T) * (D + 1) + (D * F) / T + D
  return { block: norms + attention + mlp, embedding: vocabularyRows * D, positions: nPositions * D, finalNorm: 2 * D }
}

/** Elements of the parameters of a rank of pipeline rank `rank`; with a pipeline the tied embedding is on its first and last rank. */
export function rankParameters(config: GPTBigCodeConfig, layout: PlannedLayout, rank: number): number {
  const { pipeline, chunks, layersPerStage } = layout
  const { block, embedding, positions, finalNorm } = shardParameters(config, layout)
  let layers = 0
  for (let chunk = 0; chunk < chunks; chunk++) layers += layersPerStage[chunk * pipeline + rank]!
  const [first, last] = [rank === 0, rank === pipeline - 1]
  return layers * block + (first || last ? embedding : 0) + (first ? positions : 0) + (last ? finalNorm : 0)
}

/**
 * The bytes of a rank of pipeline rank `rank`; its tensor and data ranks hold the same. Exactly `trainingBytes` on one process, but
 * for the workspace, which is not in there.
 *
 * Activations: a block saves what it does on one process, of which tensor parallelism divides the queries (with multi-head
 * attention keys and values too), attention's output and log-sum-exp, and the MLP's two tensors; sequence parallelism divides the norms' inputs and
 * outputs and their statistics, but the backward pass gathers one of them whole (D). In flight are the micro-batches of the
 * schedule. Source of the accounting: Korthikanti et al. 2022, arXiv 2205.05198, with multi-query and fused attention.
 */
export function rankBytes(
  config: GPTBigCodeConfig,
  layout: PlannedLayout,
  rank: number,
  dtype: PlanDType,
  stochasticRounding = false,
): RankBytes {
  const { data, pipeline, zero, rows, rowShards, vocabularyRows } = layout
  const count = rankParameters(config, layout, rank)
  const owned = zero ? Math.ceil(count / data) : count
  const boundary = (rows / rowShards) * config.nEmbd * elementBytes[dtype]
  const activations = activationBytes(config, layout, rank, dtype)
  // Updated shards are gathered, some at a time, when the activations are gone: only what is more than these adds to the peak.
  const gathered = zero && data > 1 ? Math.min(count, bucketElements(count)) * elementBytes[dtype] : 0
  const bytes = {
    parameters: count * elementBytes[dtype],
    gradients: count * 4,
    moments: owned * 8,
    master: dtype === 'bf16' && !stochasticRounding ? owned * 4 : 0,
    activations,
    // A tensor each that arrives and leaves, forward and backward.
    communication: Math.max(0, gathered - activations) + (pipeline > 1 ? 4 * boundary : 0),
    workspace: rank === pipeline - 1 ? Math.min(rows, logitRows) * vocabularyRows * 4 : 0,
  }
  return { ...bytes, total: Object.values(bytes).reduce((sum, value) => sum + value) }
}

/** Bytes that one micro-batch saves in a chunk, and what its backward pass adds at most (negative when it has freed more by then). */
export function chunkActivations(
  config: GPTBigCodeConfig,
  layout: PlannedLayout,
  stage: number,
  dtype: PlanDType,
): { saved: number; temporary: number } {
  const { nEmbd: D, nHead: H, multiQuery } = config
  const { tensor: T, rowShards: S, rows, checkpointing, layersPerStage } = layout
  const F = innerWidth(config)
  const L = layersPerStage[stage]!
  const isLast = stage === layersPerStage.length - 1
  const bytes = (elements: number, words: number) => rows * (elements * elementBytes[dtype] + 4 * words)
  const keyValue = multiQuery ? (2 * D) / H : (2 * D) / T
  const block = (4 * D) / S + D / T + keyValue + D / T + (2 * F) / T
  const blockWords = 4 / S + H / T
  // Token, position, first row, target, weight, loss, and the backward pass's seed.
  const rowWords = 7
  const gathered = S > 1 ? D : 0
  // Loss: the final norm's input and output, and the gradient of the latter, which the head's product leaves whole.
  const loss = isLast ? { elements: (2 * D) / S + D, words: 2 } : { elements: 0, words: 0 }
  if (!checkpointing) {
    const saved = bytes(L * block, L * blockWords + rowWords)
    return { saved, temporary: Math.max(bytes(loss.elements, loss.words), bytes(D / S + gathered + F / T, 0)) }
  }
  // The residual stream and the branch to be added to it; before the first block of a stage they are one.
  const inputs = (blocks: number) => (blocks === 0 ? 0 : ((2 * blocks - 1) * D) / S)
  const saved = bytes(inputs(L), rowWords)
  const lastProduct = inputs(L - 1) + block + (2 * D) / S + gathered + F / T
  const recomputed = (L === 1 ? 0 : inputs(L)) + block + (3 * D) / S + gathered
  const peak = Math.max(
    bytes(inputs(L) + loss.elements, loss.words + rowWords),
    bytes(Math.max(lastProduct, recomputed), blockWords + rowWords),
  )
  return { saved, temporary: peak - saved }
}

function activationBytes(config: GPTBigCodeConfig, layout: PlannedLayout, rank: number, dtype: PlanDType): number {
  const { pipeline, chunks } = layout
  const sizes = Array.from({ length: chunks }, (_, chunk) => chunkActivations(config, layout, chunk * pipeline + rank, dtype))
  // A rank holds most when its warm-up is over; what follows repeats.
  const microBatches = Math.min(layout.microBatches, 2 * pipeline)
  let held = 0
  let peak = 0
  for (const { kind, chunk } of pipelineSchedule({ stages: pipeline, rank, microBatches, chunks })) {
    const { saved, temporary } = sizes[chunk]!
    if (kind === 'forward') held += saved
    peak = Math.max(peak, held + (kind === 'backward' ? temporary : 0))
    if (kind === 'backward') held -= saved
  }
  return peak
}
