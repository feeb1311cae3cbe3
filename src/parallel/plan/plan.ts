/** A plan: what a layout takes in memory and time on a machine. */
import type { GPTBigCodeConfig } from '../../models/index.ts'
import { type BatchShape, type Layout, type PlannedLayout, planLayout } from './layout.ts'
import type { Machine } from './machines.ts'
import { type RankBytes, rankBytes } from './memory.ts'
import { type StepTime, stepTime, type TimeOptions } from './time.ts'

export interface PlanOptions extends TimeOptions {
  config: GPTBigCodeConfig
  batch: BatchShape
  layout: Layout
  machine: Machine
  /** bf16 parameters without master weights; default false. */
  stochasticRounding?: boolean
}

export interface Plan {
  layout: PlannedLayout
  /** By pipeline rank. */
  memory: RankBytes[]
  /** Bytes of a device that a run may use. */
  usable: number
  fits: boolean
  time: StepTime
}

/** Throws an AuroraError ERR_LAYOUT for a layout that model or batch cannot be divided into; one that is too large for memory is planned all the same. */
export function makePlan(options: PlanOptions): Plan {
  const { config, batch, machine, dtype = 'bf16', stochasticRounding } = options
  const layout = planLayout(config, batch, options.layout)
  const memory = Array.from({ length: layout.pipeline }, (_, rank) => rankBytes(config, layout, rank, dtype, stochasticRounding))
  const usable = machine.memory * machine.shares.usable
  return {
    layout,
    memory,
    usable,
    fits: memory.every(({ total }) => total <= usable),
    time: stepTime(config, batch, layout, machine, options),
  }
}
