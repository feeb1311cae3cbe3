/**
 * The checkpoints of a run: one folder `step-000123` each. A folder with such a name is complete, because it only gets its
 * name when all of it is on the disk, and loses it before any of it is removed.
 */
import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AuroraError } from '../errors.ts'
import { atomicFolder, temporaryBeside } from './atomic.ts'
import { fileError } from './files.ts'

export interface StepFolder {
  readonly step: number
  readonly path: string
}

/** Writes the checkpoint of a step through `write`, which gets an empty folder; returns the folder it has become. */
export async function commitStep(run: string, step: number, write: (folder: string) => Promise<void>): Promise<string> {
  if (!Number.isSafeInteger(step) || step < 0) {
    throw new AuroraError({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'commitStep: bad step',
      expected: 'an integer ≥ 0',
      found: String(step),
    })
  }
  const path = join(run, `step-${String(step).padStart(6, '0')}`)
  await atomicFolder(path, write)
  return path
}

/** The complete checkpoints of a run, oldest step first; none when the folder does not exist. */
export async function listSteps(run: string): Promise<StepFolder[]> {
  const entries = await readdir(run, { withFileTypes: true }).catch(error => {
    if (error.code === 'ENOENT') return []
    throw fileError('read', run, error)
  })
  return entries
    .filter(entry => entry.isDirectory() && /^step-\d{6,}$/.test(entry.name))
    .map(({ name }) => ({ step: Number(name.slice('step-'.length)), path: join(run, name) }))
    .sort((a, b) => a.step - b.step)
}

/** The highest complete checkpoint of a run. */
export async function latestStep(run: string): Promise<StepFolder | undefined> {
  return (await listSteps(run)).at(-1)
}

/** Removes all checkpoints but the `keep` highest and those that `spares` names (such as the ends of stages). */
export async function keepSteps(run: string, keep: number, spares: (step: number) => boolean = () => false): Promise<void> {
  const steps = await listSteps(run)
  for (const { step, path } of steps.slice(0, Math.max(steps.length - keep, 0))) {
    if (spares(step)) continue
    const condemned = temporaryBeside(path)
    await rename(path, condemned)
    await rm(condemned, { recursive: true, force: true })
  }
}
