/** Which stage computes which micro-batch when: 1F1B and interleaved 1F1B, and how layers are split over stages. */
import { AuroraError } from '../errors.ts'

/** One piece of work of a pipeline rank: a micro-batch through one of its model chunks. */
export interface ScheduleStep {
  kind: 'forward' | 'backward'
  /** 0 … microBatches − 1 */
  microBatch: number
  /** 0 … chunks − 1; chunk c of rank p is stage c·P + p. */
  chunk: number
}

export interface ScheduleOptions {
  /** Pipeline ranks P. */
  stages: number
  /** The rank, 0 … P − 1. */
  rank: number
  microBatches: number
  /** Model chunks a rank v; default 1: not interleaved. */
  chunks?: number
}

/**
 * The order of work of one pipeline rank.
 *
 * With one chunk: 1F1B (PipeDream-flush). Rank p begins with P − p − 1 forwards (no more than there are micro-batches), then does
 * one forward and one backward in turn, then the backwards that are left. It holds at most P − p micro-batches at once.
 *
 * With v > 1 chunks: interleaved 1F1B. Micro-batches are taken in groups of P: a group goes through chunk 0, then through chunk
 * 1, …, and backward from the last chunk to the first. Rank p begins with 2·(P − p − 1) + (v − 1)·P forwards of a chunk, which is
 * what fills the pipeline; it holds at most one more. The bubble is 1/v of that of one chunk.
 *
 * Source: Narayanan et al. 2021, arXiv 2104.04473, §2.2.
 *
 * @throws AuroraError ERR_LAYOUT: sizes that are no positive integers, a rank outside the pipeline, chunks without a pipeline, or
 *   with chunks a number of micro-batches that is not a multiple of P
 */
export function pipelineSchedule({ stages, rank, microBatches, chunks = 1 }: ScheduleOptions): ScheduleStep[] {
  checkSchedule({ stages, microBatches, chunks })
  if (!Number.isInteger(rank) || rank < 0 || rank >= stages)
    throw scheduleError('the rank is outside the pipeline', `0 … ${stages - 1}`, rank)
  const total = microBatches * chunks
  const behind = stages - rank - 1
  const warmUp = Math.min(total, chunks === 1 ? behind : 2 * behind + (chunks - 1) * stages)
  const nth = (kind: ScheduleStep['kind'], index: number): ScheduleStep => {
    if (chunks === 1) return { kind, microBatch: index, chunk: 0 }
    const group = Math.floor(index / (stages * chunks))
    const passed = Math.floor((index % (stages * chunks)) / stages)
    return {
      kind,
      microBatch: group * stages + (index % stages),
      chunk: kind === 'forward' ? passed : chunks - 1 - passed,
    }
  }
  const steps: ScheduleStep[] = []
  for (let index = 0; index < warmUp; index++) steps.push(nth('forward', index))
  for (let index = warmUp; index < total; index++) steps.push(nth('forward', index), nth('backward', index - warmUp))
  for (let index = total - warmUp; index < total; index++) steps.push(nth('backward', index))
  return steps
}

/** The same for all ranks, in order. */
export function pipelineSchedules(options: Omit<ScheduleOptions, 'rank'>): ScheduleStep[][] {
  return Array.from({ length: options.stages }, (_, rank) => pipelineSchedule({ ...options, rank }))
}

/** Throws ERR_LAYOUT for what no schedule exists for. */
export function checkSchedule({ stages, microBatches, chunks = 1 }: Omit<ScheduleOptions, 'rank'>): void {
  for (const [what, value] of Object.entries({ stages, microBatches, chunks }))
    if (!Number.isSafeInteger(value) || value < 1) throw scheduleError(what, 'a positive integer', value)
  if (chunks === 1) return
  if (stages === 1)
    throw scheduleError('interleaving needs a pipeline', 'chunks 1, or at least 2 pipeline stages', `${chunks} chunks on 1 stage`)
  if (microBatches % stages !== 0) {
    throw scheduleError(
      'interleaving takes micro-batches in groups of the pipeline size',
      `a multiple of ${stages} micro-batches`,
      microBatches,
      'choose another micro-batch or data-parallel size, or chunks 1',
    )
  }
}

/**
 * The most that a rank holds at once: a forward of chunk c adds `size(c)`, its backward takes it away. With size 1 it is the number
 * of micro-batches in flight; with the bytes that a chunk saves, the activations.
 */
export function peakInFlight(steps: readonly ScheduleStep[], size: (chunk: number) => number = () => 1): number {
  let held = 0
  let peak = 0
  for (const { kind, chunk } of steps) {
    held += kind === 'forward' ? size(chunk) : -size(chunk)
    peak = Math.max(peak, held)
  }
  return peak
}

/** What the first and the last stage do beside their layers, in layers' worth; each 0 by default. */
export interface StageWeights {
  embedding?: number
  head?: number
}

/**
 * How many of L layers each stage gets, in order: S counts, each at least 1, that sum to L.
 *
 * @param stages S = P·v, in the order in which a micro-batch goes through them
 * @param split the counts themselves, to be checked; or weights, with which the heaviest stage is made as light as it can be. Where
 *   stages are equal the later ones get the odd layers, because they hold fewer micro-batches; so without weights 10 layers on 4
 *   stages are 2, 2, 3, 3.
 * @throws AuroraError ERR_LAYOUT: fewer layers than stages, or counts that do not fit
 */
export function stageLayers(layers: number, stages: number, split: readonly number[] | StageWeights = {}): number[] {
  for (const [what, value] of Object.entries({ layers, stages }))
    if (!Number.isSafeInteger(value) || value < 1) throw scheduleError(what, 'a positive integer', value)
  if (stages > layers) {
    throw scheduleError(
      'every pipeline stage needs a layer',
      `at most ${layers} stages for ${layers} layers`,
      stages,
      'choose a smaller pipeline, or fewer chunks',
    )
  }
  if (isCounts(split)) {
    const fits = split.length === stages && split.every(count => Number.isSafeInteger(count) && count >= 1)
    if (!fits || split.reduce((sum, count) => sum + count, 0) !== layers) {
      throw scheduleError('layersPerStage', `${stages} counts of at least 1 that sum to ${layers}`, split.join(', ') || 'none')
    }
    return [...split]
  }
  const { embedding = 0, head = 0 } = split
  for (const [what, value] of Object.entries({ embedding, head }))
    if (!Number.isFinite(value) || value < 0) throw scheduleError(`weight of the ${what}`, 'a number of at least 0', value)
  const counts = new Array<number>(stages).fill(1)
  const loads = counts.map((count, stage) => count + (stage === 0 ? embedding : 0) + (stage === stages - 1 ? head : 0))
  for (let rest = layers - stages; rest > 0; rest--) {
    const lightest = loads.lastIndexOf(Math.min(...loads))
    counts[lightest]!++
    loads[lightest]!++
  }
  return counts
}

const isCounts = (split: readonly number[] | StageWeights): split is readonly number[] => Array.isArray(split)

function scheduleError(message: string, expected: string, found: number | string, hint?: string): AuroraError {
  return new AuroraError({ code: 'ERR_LAYOUT', message, expected, found: String(found), hint })
}
