/** What a pipeline schedule comes to in time: every step's start and end, the whole, and the share that ranks wait. */
import { AuroraError } from '../errors.ts'
import { pipelineSchedules, type ScheduleOptions, type ScheduleStep } from './schedule.ts'

/** Seconds (or any unit), by stage c·P + p. */
export interface StageTimes {
  forward: (stage: number) => number
  backward: (stage: number) => number
  /**
   * From the end of a step until its output has arrived at the neighbouring stage; default 0. It delays the receiver only: sends
   * run beside computation, and links are not shared.
   */
  transfer?: (from: number, to: number) => number
}

export interface TimelineStep extends ScheduleStep {
  rank: number
  stage: number
  start: number
  end: number
}

export interface Timeline {
  ranks: number
  /** By rank, in order of time. */
  steps: TimelineStep[][]
  /** End of the last step. */
  total: number
  /** Time in which ranks wait, over the time of their work: (P − 1)/m for 1F1B with equal stages. */
  bubble: number
}

/**
 * Runs the schedules of all ranks: a step starts when its rank is free and its input has arrived, which is the output of the
 * stage before (forward) or behind (backward; for the last stage its own forward).
 *
 * @param schedules the order of work by pipeline rank
 * @throws AuroraError ERR_LAYOUT when the schedules wait for each other for ever
 */
export function simulate(schedules: readonly (readonly ScheduleStep[])[], times: StageTimes): Timeline {
  const ranks = schedules.length
  const steps: TimelineStep[][] = schedules.map(() => [])
  const total = run(schedules, times, (rank, step, start, end) => {
    steps[rank]!.push({ ...step, rank, stage: step.chunk * ranks + rank, start, end })
  })
  const busy = steps.flat().reduce((sum, step) => sum + step.end - step.start, 0)
  return { ranks, steps, total, bubble: (ranks * total - busy) / busy }
}

/** The total and the bubble of a pipeline's simulation, without its steps: for many micro-batches, and many pipelines. */
export function pipelineTime(pipeline: Omit<ScheduleOptions, 'rank'>, times: StageTimes): Pick<Timeline, 'total' | 'bubble'> {
  const { stages, microBatches, chunks = 1 } = pipeline
  let busy = 0
  for (let stage = 0; stage < stages * chunks; stage++) busy += microBatches * (times.forward(stage) + times.backward(stage))
  const total = stages === 1 ? busy : run(pipelineSchedules(pipeline), times)
  return { total, bubble: (stages * total - busy) / busy }
}

type OnStep = (rank: number, step: ScheduleStep, start: number, end: number) => void

/** Returns the end of the last step. */
function run(schedules: readonly (readonly ScheduleStep[])[], times: StageTimes, onStep?: OnStep): number {
  const ranks = schedules.length
  let [chunks, microBatches] = [1, 1]
  for (const steps of schedules) {
    for (const { chunk, microBatch } of steps) {
      chunks = Math.max(chunks, chunk + 1)
      microBatches = Math.max(microBatches, microBatch + 1)
    }
  }
  const stages = ranks * chunks
  const last = stages - 1
  const at = (of: (stage: number) => number) => Float64Array.from({ length: stages }, (_, stage) => of(stage))
  const seconds = { forward: at(times.forward), backward: at(times.backward) }
  const hop = {
    forward: at(stage => (stage === 0 ? 0 : (times.transfer?.(stage - 1, stage) ?? 0))),
    backward: at(stage => (stage === last ? 0 : (times.transfer?.(stage + 1, stage) ?? 0))),
  }
  // NaN: not yet done.
  const unknown = () => new Float64Array(stages * microBatches).fill(Number.NaN)
  const ends = { forward: unknown(), backward: unknown() }
  const arrival = (kind: ScheduleStep['kind'], microBatch: number, stage: number): number => {
    const row = microBatch * stages
    if (kind === 'forward') return stage === 0 ? 0 : ends.forward[row + stage - 1]! + hop.forward[stage]!
    return stage === last ? ends.forward[row + last]! : ends.backward[row + stage + 1]! + hop.backward[stage]!
  }
  const done = new Int32Array(ranks)
  const free = new Float64Array(ranks)
  for (let moved = true; moved; ) {
    moved = false
    for (let rank = 0; rank < ranks; rank++) {
      const steps = schedules[rank]!
      for (; done[rank]! < steps.length; done[rank]!++) {
        const step = steps[done[rank]!]!
        const { kind, microBatch } = step
        const stage = step.chunk * ranks + rank
        const arrived = arrival(kind, microBatch, stage)
        if (Number.isNaN(arrived)) break
        const start = Math.max(arrived, free[rank]!)
        const end = start + seconds[kind][stage]!
        ends[kind][microBatch * stages + stage] = end
        free[rank] = end
        moved = true
        onStep?.(rank, step, start, end)
      }
    }
  }
  const stuck = done.findIndex((count, rank) => count < schedules[rank]!.length)
  if (stuck >= 0) {
    const { kind, microBatch, chunk } = schedules[stuck]![done[stuck]!]!
    throw new AuroraError({
      code: 'ERR_LAYOUT',
      message: 'the schedules of the pipeline ranks wait for each other',
      expected: 'an order in which every step gets its input',
      found: `rank ${stuck} waits at the ${kind} of micro-batch ${microBatch}, chunk ${chunk}`,
    })
  }
  return Math.max(...free)
}
