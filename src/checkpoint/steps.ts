/**
 * The checkpoints of a run: one folder `step-000123` each. A folder with such a name is complete, because it only gets its
 * name when all of it is on the disk, and loses it before any of it is removed.
 */
import { createHash } from 'node:crypto'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AuroraError } from '../errors.ts'
import { atomicFolder, giveName, recoverFolder, temporaryBeside } from './atomic.ts'
import { fileError } from './files.ts'

export interface StepFolder {
  readonly step: number
  readonly path: string
}

/** Writes the checkpoint of a step through `write`, which gets an empty folder; returns the folder it has become. */
export async function commitStep(run: string, step: number, write: (folder: string) => Promise<void>): Promise<string> {
  const path = stepPath(run, step)
  await atomicFolder(path, write)
  return path
}

/**
 * Where the checkpoint of a step lies until it is committed, when several processes write it: each can tell the name by itself. It is a
 * leftover to `recoverFolder`, should the job die. `job` keeps apart what two starts of a run write: processes of the first may linger.
 */
export function pendingStep(run: string, step: number, job = ''): string {
  const digits = createHash('sha256').update(job).digest('hex').slice(0, 12)
  return `${stepPath(run, step)}.tmp-${digits}`
}

/** Makes the empty folder that all ranks then write into; by rank 0 alone. */
export async function beginStep(run: string, step: number, job?: string): Promise<string> {
  const folder = pendingStep(run, step, job)
  try {
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true })
    return folder
  } catch (error) {
    throw fileError('write', folder, error)
  }
}

/** Gives a step's folder its name, by rank 0, when all ranks have written their files; returns the folder it has become. */
export async function finishStep(run: string, step: number, job?: string): Promise<string> {
  const path = stepPath(run, step)
  try {
    const folder = pendingStep(run, step, job)
    await recoverFolder(folder)
    await giveName(folder, path)
    return path
  } catch (error) {
    throw fileError('write', path, error)
  }
}

/** Removes a step's unfinished folder, by rank 0. Ranks that are still writing into it fail, and cannot bring it back. */
export async function abandonStep(run: string, step: number, job?: string): Promise<void> {
  const folder = pendingStep(run, step, job)
  try {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  } catch (error) {
    throw fileError('remove', folder, error)
  }
}

function stepPath(run: string, step: number): string {
  if (!Number.isSafeInteger(step) || step < 0) {
    throw new AuroraError({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'checkpoint of a run: bad step',
      expected: 'an integer ≥ 0',
      found: String(step),
    })
  }
  return join(run, `step-${String(step).padStart(6, '0')}`)
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
