/**
 * What a training checkpoint holds. It is also a model: config.json and model.safetensors in Hugging Face's layout, beside them optimizer.safetensors
 * (moments and master weights, a logical tensor for each parameter) and training_state.json (everything else).
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError } from '../checkpoint/index.ts'
import type { Cursors } from '../data/index.ts'
import { AuroraError } from '../errors.ts'
import type { Json } from './fingerprint.ts'
import type { StepMetrics } from './step-metrics.ts'

/** What a run needs, beside weights and optimizer, to go on bit for bit. */
export interface TrainingState {
  format: 1
  /** Steps done. */
  step: number
  /** The stage of the last step; '' before the first. */
  stage: string
  tokens: number
  /** Updates that the optimizer made: steps without those skipped. */
  updates: number
  skipped: { inRow: number; total: number }
  /** How far each domain has been read: where the stage's reader began, after how many steps of the run, and where it is now. */
  position: { begun: { cursors: Cursors; step: number }; now: Cursors }
  /** What defines the run; see fingerprint.ts. */
  definition: Json
  /** The latest metrics, oldest first: heals logs that a crash of the machine cut short. */
  metricsTail: StepMetrics[]
}

export const stateName = 'training_state.json'

/** Reads and checks the training state of a checkpoint's folder. */
export async function readTrainingState(folder: string): Promise<TrainingState> {
  const path = join(folder, stateName)
  const text = await readFile(path, 'utf8').catch(error => {
    throw fileError('read', path, error)
  })
  let state: TrainingState | undefined
  try {
    state = JSON.parse(text)
  } catch {
    state = undefined
  }
  if (state?.format !== 1 || !Number.isInteger(state.step)) {
    throw new AuroraError({
      code: 'ERR_CHECKPOINT_STATE',
      message: `${path} holds no training state`,
      expected: 'JSON with format 1',
      found: state === undefined ? 'no JSON' : `format ${JSON.stringify(state.format)}`,
      hint: 'remove this checkpoint to go on from the one before',
    })
  }
  for (const metrics of state.metricsTail) {
    metrics.loss ??= Number.NaN
    metrics.gradNorm ??= Number.NaN
  }
  return state
}
