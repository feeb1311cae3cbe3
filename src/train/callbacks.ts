/**
 * How others follow a run: Weights & Biases, a message service, a progress bar. Callbacks run in their order and are awaited,
 * so what they throw ends the run; long work of theirs should not be awaited by them.
 */
import type { EvaluationRecord } from './evaluations.ts'
import type { StepMetrics } from './step-metrics.ts'

type Awaitable = void | Promise<void>

export interface StartEvent {
  /** All that defines the run, as plain JSON: model, optimizer, schedule, batch, stages. */
  config: Record<string, unknown>
  totalSteps: number
  /** Steps already done: 0, or those of the checkpoint the run goes on from. */
  step: number
  resumed: boolean
  /** The latest metrics before `step`, oldest first. */
  metricsTail: readonly StepMetrics[]
}

export interface StageEvent {
  name: string
  /** Position in the curriculum, from 0. */
  index: number
  /** Steps of this stage. */
  steps: number
  /** Steps of the run that were done when the stage began. */
  firstStep: number
  /** Shares of the domains, as their mixture describes them. */
  mixture: Record<string, unknown>
}

export interface CheckpointEvent {
  folder: string
  step: number
  stage: string
  /** The checkpoint closes its stage. */
  stageEnd: boolean
  seconds: number
}

export interface EndEvent {
  /** `stopped`: the consumer left the iteration. */
  reason: 'finished' | 'aborted' | 'stopped' | 'failed'
  step: number
  error?: unknown
}

export interface Callback {
  onStart?(event: StartEvent): Awaitable
  /** A stage begins, or is gone on with after a resume. */
  onStage?(event: StageEvent): Awaitable
  onStep?(metrics: StepMetrics): Awaitable
  onCheckpoint?(event: CheckpointEvent): Awaitable
  onEvaluation?(record: EvaluationRecord): Awaitable
  /** Always the last; also when the run failed before it started. */
  onEnd?(event: EndEvent): Awaitable
}

type EventOf<K extends keyof Callback> = Parameters<NonNullable<Callback[K]>>[0]

/** Tells all callbacks, one after another. */
export async function notify<K extends keyof Callback>(
  callbacks: readonly Callback[],
  name: K,
  event: EventOf<K>,
): Promise<void> {
  for (const callback of callbacks)
    await (callback[name] as ((event: EventOf<K>) => Awaitable) | undefined)?.call(callback, event)
}
