/** The checkpoint of a parallel run: every rank writes its blocks, and rank 0 makes them a checkpoint when all are there. */
import { AuroraError } from '../errors.ts'
import { fileError } from './files.ts'
import { commitManifest, type ShardIndex } from './manifest.ts'
import { type HostBlock, writeShard } from './shard.ts'
import { abandonStep, beginStep, finishStep, pendingStep } from './steps.ts'

/** Everybody's JSON value under a key, in order of ranks. */
export type Gather = <T>(key: string, value: T) => Promise<T[]>

export interface ShardedSave {
  /** Folder of the run's checkpoints, on a file system that all ranks share. */
  run: string
  step: number
  rank: number
  /** Names this start of the run, on all ranks alike; see `pendingStep`. */
  job?: string
  /** This rank's blocks, from `snapshot`. Over all ranks, they hold each element of each tensor once. */
  blocks: readonly HostBlock[]
  gather: Gather
  /** Rank 0's: writes config.json, the tokenizer and the training state into the folder. */
  writeFiles?(folder: string): Promise<void>
  /** Gives the checkpoint up, on all ranks; the promise rejects with the signal's reason. */
  signal?: AbortSignal
}

/**
 * Saves the checkpoint of a step; all ranks call it. Returns its folder, which is there, whole, from one moment to the next. It may run
 * in the background while training goes on; the keys that it gathers under begin with `checkpoint <step>`.
 *
 * @throws AuroraError on every rank when any of them fails: the rank's own error, elsewhere one of the same code that names the rank.
 * Nothing of this step is left then, and the checkpoints before are untouched.
 */
export async function saveSharded(save: ShardedSave): Promise<string> {
  const { run, step, rank, job, blocks, signal } = save
  const isFirst = rank === 0
  const folder = pendingStep(run, step, job)
  try {
    await together(save, 'begin', async () => isFirst && (await beginStep(run, step, job)))
    const shards = await together(save, 'write', async (): Promise<ShardIndex> => {
      if (isFirst) {
        await save.writeFiles?.(folder).catch(error => {
          throw fileError('write', folder, error)
        })
      }
      return writeShard(folder, rank, blocks, { signal })
    })
    const [path] = await together(save, 'commit', async () => {
      if (!isFirst) return ''
      await commitManifest(folder, shards)
      return finishStep(run, step, job)
    })
    return path!
  } catch (error) {
    // What cannot be removed now goes at the next start; the error is what matters.
    if (isFirst) await abandonStep(run, step, job).catch(() => {})
    throw error
  }
}

interface Outcome<T> {
  value?: T
  failure?: { code: string; message: string }
}

/** Every rank's result of its part of a phase. A failure is told to all, so that nobody waits for a rank that has given up. */
async function together<T>(save: ShardedSave, phase: string, part: () => Promise<T>): Promise<T[]> {
  let own: unknown
  let outcome: Outcome<T>
  try {
    outcome = { value: await part() }
  } catch (error) {
    own = error
    outcome = {
      failure: { code: error instanceof AuroraError ? error.code : 'ERR_RANK_FAILED', message: (error as Error).message },
    }
  }
  const outcomes = await save.gather(`checkpoint ${save.step} ${phase}`, outcome)
  if (own !== undefined) throw own
  for (const [rank, { failure }] of outcomes.entries()) {
    if (!failure) continue
    throw new AuroraError({
      code: failure.code,
      message: `checkpoint of step ${save.step} failed on rank ${rank}: ${failure.message}`,
    })
  }
  return outcomes.map(({ value }) => value as T)
}
