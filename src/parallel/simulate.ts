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
  const last = ranks * (1 + Math.max(...schedules.flatMap(steps => steps.map(step => step.chunk)))) - 1
  const ends = { forward: new Map<number, number>(), backward: new Map<number, number>() }
  const key = (stage: number, microBatch: number) => microBatch * (last + 1) + stage
  const arrival = ({ kind, microBatch }: ScheduleStep, stage: number): number | undefined => {
    const from = kind === 'forward' ? stage - 1 : stage === last ? last : stage + 1
    if (from < 0) return 0
    const end = ends[kind === 'backward' && stage === last ? 'forward' : kind].get(key(from, microBatch))
    return end === undefined || from === stage ? end : end + (times.transfer?.(from, stage) ?? 0)
  }
  const steps: TimelineStep[][] = schedules.map(() => [])
  for (let moved = true; moved; ) {
    moved = false
    for (let rank = 0; rank < ranks; rank++) {
      for (;;) {
        const step = schedules[rank]![steps[rank]!.length]
        if (!step) break
        const stage = step.chunk * ranks + rank
        const arrived = arrival(step, stage)
        if (arrived === undefined) break
        const start = Math.max(arrived, steps[rank]!.at(-1)?.end ?? 0)
        const end = start + times[step.kind](stage)
        ends[step.kind].set(key(stage, step.microBatch), end)
        steps[rank]!.push({ ...step, rank, stage, start, end })
        moved = true
      }
    }
  }
  const stuck = steps.findIndex((done, rank) => done.length < schedules[rank]!.length)
  if (stuck >= 0) {
    const { kind, microBatch, chunk } = schedules[stuck]![steps[stuck]!.length]!
    throw new AuroraError({
      code: 'ERR_LAYOUT',
      message: 'the schedules of the pipeline ranks wait for each other',
      expected: 'an order in which every step gets its input',
      found: `rank ${stuck} waits at the ${kind} of micro-batch ${microBatch}, chunk ${chunk}`,
    })
  }
  const total = Math.max(...steps.map(done => done.at(-1)?.end ?? 0))
  const busy = steps.flat().reduce((sum, step) => sum + step.end - step.start, 0)
  return { ranks, steps, total, bubble: (ranks * total - busy) / busy }
}

/** Groups of P micro-batches after which a pipeline's start is forgotten: from there each further group takes the same time. */
const settled = 6

/**
 * The total and the bubble of a pipeline with any number of micro-batches, at the cost of few: beyond the start and the end a
 * schedule repeats itself every P micro-batches, so that two short ones tell the time of a long one.
 */
export function pipelineTime(
  pipeline: Omit<ScheduleOptions, 'rank'>,
  times: StageTimes,
): Pick<Timeline, 'total' | 'bubble'> & { /** The busiest rank's own work. */ busiest: number } {
  const { stages, microBatches, chunks = 1 } = pipeline
  const run = (count: number) => simulate(pipelineSchedules({ ...pipeline, microBatches: count }), times).total
  const short = settled * stages + (microBatches % stages)
  let total: number
  if (microBatches <= short + stages) total = run(microBatches)
  else {
    const start = run(short)
    total = start + ((microBatches - short) / stages) * (run(short + stages) - start)
  }
  const work = Array.from({ length: stages }, (_, rank) => {
    let sum = 0
    for (let chunk = 0; chunk < chunks; chunk++) {
      const stage = chunk * stages + rank
      sum += microBatches * (times.forward(stage) + times.backward(stage))
    }
    return sum
  })
  const busy = work.reduce((sum, value) => sum + value, 0)
  return { total, bubble: (stages * total - busy) / busy, busiest: Math.max(...work) }
}
