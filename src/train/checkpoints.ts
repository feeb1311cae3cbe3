/**
 * Training checkpoints on disk: folders `step-<n>` in one folder, each complete or not there at all.
 *
 * A checkpoint is also a model: config.json and model.safetensors in Hugging Face's layout, beside them optimizer.safetensors
 * (moments and master weights, a logical tensor for each parameter) and training_state.json (everything else).
 */
import { readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { atomicFolder, fileError, recoverFolder, temporaryBeside } from '../checkpoint/index.ts'
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

export const checkpointFiles = { optimizer: 'optimizer.safetensors', state: 'training_state.json' } as const

const folderName = /^step-(\d+)$/

export class CheckpointStore {
  readonly dir: string
  /** How many of the newest checkpoints stay. */
  readonly keep: number

  constructor(dir: string, keep: number) {
    if (!Number.isInteger(keep) || keep < 1) {
      throw new AuroraError({
        code: 'ERR_INVALID_ARGUMENT',
        message: 'bad number of checkpoints to keep',
        expected: 'a positive integer',
        found: String(keep),
      })
    }
    this.dir = dir
    this.keep = keep
  }

  /** Folders of all complete checkpoints, oldest first. */
  async list(): Promise<string[]> {
    const names = (await readdir(this.dir).catch(() => [])).filter(name => folderName.test(name))
    const step = (name: string) => Number(folderName.exec(name)![1])
    return names.sort((a, b) => step(a) - step(b)).map(name => join(this.dir, name))
  }

  /** The newest complete checkpoint, after clearing what a killed process left unfinished. */
  async latest(): Promise<string | undefined> {
    await recoverFolder(this.dir)
    return (await this.list()).at(-1)
  }

  /** Writes the checkpoint of `step` and removes the oldest beyond `keep`; returns its folder. */
  async save(step: number, write: (folder: string) => Promise<void>): Promise<string> {
    const folder = join(this.dir, `step-${String(step).padStart(8, '0')}`)
    await atomicFolder(folder, write)
    for (const old of (await this.list()).slice(0, -this.keep)) await removeWhole(old)
    return folder
  }
}

/** A half-removed folder must not pass for a checkpoint: it loses its name first. */
async function removeWhole(folder: string): Promise<void> {
  const doomed = temporaryBeside(folder)
  await rename(folder, doomed)
  await rm(doomed, { recursive: true })
}

export async function readTrainingState(folder: string): Promise<TrainingState> {
  const path = join(folder, checkpointFiles.state)
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
