/** The two files a run is followed by, as callbacks. */
import { join } from 'node:path'
import type { Callback, StartEvent } from './callbacks.ts'
import type { EvaluationRecord } from './evaluations.ts'
import { MetricsLog } from './metrics-log.ts'
import type { StepMetrics } from './step-metrics.ts'
import { TensorBoardWriter } from './tensorboard.ts'

/** Writes every step's metrics to the JSONL file `path`. */
export function metricsOutput(path: string): Callback {
  let log: MetricsLog | undefined
  return {
    async onStart({ step, metricsTail }) {
      log = await MetricsLog.open(path, step, metricsTail)
    },
    async onStep(metrics) {
      await log?.write(metrics)
    },
    async onEnd() {
      await log?.close()
      log = undefined
    },
  }
}

/**
 * Writes TensorBoard event files: training in `<folder>/train`, evaluations in `<folder>/evaluation`, which TensorBoard
 * shows as two runs. The steps lost by a crash are healed from the checkpoint's metrics tail, as in metrics.jsonl.
 */
export function tensorBoardOutput(folder: string, pastEvaluations: () => readonly EvaluationRecord[] = () => []): Callback {
  let train: TensorBoardWriter | undefined
  let evaluation: TensorBoardWriter | undefined
  return {
    async onStart({ step, metricsTail }: StartEvent) {
      train = await TensorBoardWriter.open(join(folder, 'train'), step)
      const { lastStep } = train
      for (const metrics of metricsTail)
        if (metrics.step > lastStep && metrics.step <= step) await train.write(stepEvent(metrics))
      // Few and small: written anew from the stored results, so that none is lost or twice there.
      evaluation = await TensorBoardWriter.open(join(folder, 'evaluation'), -1)
      for (const record of pastEvaluations()) await evaluation.write(evaluationEvent(record))
    },
    async onStep(metrics) {
      await train?.write(stepEvent(metrics))
    },
    async onEvaluation(record) {
      await evaluation?.write(evaluationEvent(record))
    },
    async onEnd() {
      await train?.close()
      await evaluation?.close()
      train = evaluation = undefined
    },
  }
}

function stepEvent(metrics: StepMetrics) {
  const scalars: Record<string, number> = {
    loss: metrics.loss,
    lr: metrics.lr,
    grad_norm: metrics.gradNorm,
    skipped_steps: metrics.skippedSteps,
    'speed/tokens_per_second': metrics.tokensPerSecond,
    'speed/model_flops': metrics.modelFlops,
    'memory/allocated': metrics.memory.allocated,
    'memory/peak': metrics.memory.peak,
  }
  if (metrics.shareOfPeak !== undefined) scalars['speed/share_of_peak'] = metrics.shareOfPeak
  for (const [domain, loss] of Object.entries(metrics.lossByDomain)) scalars[`loss/${domain}`] = loss
  return { wallTime: Date.now() / 1000, step: metrics.step, scalars }
}

function evaluationEvent(record: EvaluationRecord) {
  return { wallTime: record.time, step: record.point.step, scalars: flatten(record.result, record.name) }
}

/** The numbers of a nested result, named by their paths. */
function flatten(value: unknown, path: string, into: Record<string, number> = {}): Record<string, number> {
  if (typeof value === 'number') into[path] = value
  else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    for (const [key, inner] of Object.entries(value)) flatten(inner, `${path}/${key}`, into)
  }
  return into
}
