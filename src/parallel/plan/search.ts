/** All ways to spread a run over N devices that fit into memory, by predicted speed. */
import { setImmediate } from 'node:timers/promises'
import { AuroraError } from '../../errors.ts'
import type { GPTBigCodeConfig } from '../../models/index.ts'
import { stageLayers } from '../schedule.ts'
import { type BatchShape, balancedLayers, defaultLayout, type Layout, planLayout } from './layout.ts'
import type { Machine } from './machines.ts'
import { makePlan, type Plan } from './plan.ts'
import type { TimeOptions } from './time.ts'

export interface SearchOptions extends TimeOptions {
  config: GPTBigCodeConfig
  batch: BatchShape
  machine: Machine
  devices: number
  /** What is not to be varied. */
  fixed?: Partial<Layout>
  signal?: AbortSignal
}

export interface SearchResult {
  /** Those that fit, fastest first; ties in the order of the layouts' sizes. */
  plans: Plan[]
  /** Layouts that model and batch can be divided into. */
  possible: number
  /** Of those, the ones that do not fit into memory. */
  tooLarge: number
}

/**
 * Varies tensor (within a node), pipeline, data, chunks (1 … 4), sequences a micro-batch (1, 2, 4, 8) and checkpointing; sequence
 * parallelism is on with tensor parallelism, ZeRO with data parallelism. Layers are spread evenly, and so that the head is balanced.
 * @throws AuroraError ERR_LAYOUT when no layout is possible at all
 */
export async function searchLayouts(options: SearchOptions): Promise<SearchResult> {
  const { config, batch, machine, devices, signal } = options
  // Refused here too, where a size beyond all reason would be searched for its divisors.
  planLayout(config, { ...batch, sequences: devices }, { ...defaultLayout, data: devices })
  const plans: Plan[] = []
  let possible = 0
  for (const layout of candidates(options)) {
    signal?.throwIfAborted()
    // Each takes some milliseconds.
    await setImmediate()
    if (!divides(config, batch, layout)) continue
    possible++
    const plan = makePlan({ ...options, layout })
    if (plan.fits) plans.push(plan)
  }
  if (possible === 0) {
    throw new AuroraError({
      code: 'ERR_LAYOUT',
      message: `model and batch cannot be divided over ${devices} devices`,
      expected: `a layout for ${config.nHead} heads, ${config.nLayer} layers and ${batch.sequences} sequences`,
      found: 'none',
      hint: `choose another number of devices, or of sequences a step (${machine.devicesPerNode} devices are a node)`,
    })
  }
  return { plans: plans.sort((a, b) => a.time.step - b.time.step), possible, tooLarge: possible - plans.length }
}

function divides(config: GPTBigCodeConfig, batch: BatchShape, layout: Layout): boolean {
  try {
    planLayout(config, batch, layout)
    return true
  } catch (error) {
    if (error instanceof AuroraError && error.code === 'ERR_LAYOUT') return false
    throw error
  }
}

function* candidates(options: SearchOptions): Generator<Layout> {
  const { devices, machine, fixed = {} } = options
  const divisors = Array.from({ length: devices }, (_, i) => i + 1).filter(divisor => devices % divisor === 0)
  const choose = <T>(given: T | undefined, otherwise: readonly T[]): readonly T[] => (given === undefined ? otherwise : [given])
  const within = divisors.filter(tensor => tensor <= machine.devicesPerNode)
  for (const tensor of choose(fixed.tensor, within)) {
    for (const pipeline of choose(fixed.pipeline, divisors)) {
      const data = devices / (tensor * pipeline)
      if (!Number.isInteger(data) || (fixed.data ?? data) !== data) continue
      for (const chunks of choose(fixed.chunks, pipeline === 1 ? [1] : [1, 2, 3, 4])) {
        for (const microBatch of choose(fixed.microBatch, [1, 2, 4, 8])) {
          for (const checkpointing of choose(fixed.checkpointing, [false, true])) {
            const { sequenceParallel = tensor > 1, zero = data > 1 } = fixed
            for (const layersPerStage of splits(options, pipeline * chunks)) {
              yield {
                tensor,
                pipeline,
                data,
                chunks,
                microBatch,
                checkpointing,
                sequenceParallel: sequenceParallel && tensor > 1,
                zero,
                layersPerStage,
              }
            }
          }
        }
      }
    }
  }
}

/** The split given; else the even one, and the balanced one where it is another. */
function splits({ config, fixed = {} }: SearchOptions, stages: number): (readonly number[] | undefined)[] {
  if (fixed.layersPerStage || stages > config.nLayer) return [fixed.layersPerStage]
  const balanced = balancedLayers(config, stages)
  return stageLayers(config.nLayer, stages).join() === balanced.join() ? [undefined] : [undefined, balanced]
}
