/** From a recipe and what the launcher has set to this process's place in a parallel job. */
import { createHash } from 'node:crypto'
import { AuroraError } from '../../errors.ts'
import { ParallelJob, type ParallelLayout, worldFromEnvironment } from '../../parallel/index.ts'
import type { CheckedRecipe } from './schema.ts'

/** Joins the job that this process was started as a rank of; undefined: a run of one process. */
export async function joinJob(recipe: CheckedRecipe, signal: AbortSignal | undefined): Promise<ParallelJob | undefined> {
  const environment = worldFromEnvironment()
  const layout = layoutFor(recipe, environment?.size ?? 1)
  if (!environment && layout.tensor * layout.pipeline * layout.data === 1) return undefined
  return ParallelJob.join({
    layout,
    device: recipe.model.device,
    definition: createHash('sha256').update(JSON.stringify(recipe)).digest('hex'),
    deadlineMs: recipe.parallel.deadline * 1000,
    environment,
    signal,
  })
}

/** The recipe's layout on so many processes. */
export function layoutFor({ parallel, model }: Pick<CheckedRecipe, 'parallel' | 'model'>, processes: number): ParallelLayout {
  const { tensor, pipeline, chunks } = parallel
  if (parallel.data === undefined && processes > 1 && processes % (tensor * pipeline) !== 0) {
    throw new AuroraError({
      code: 'ERR_LAYOUT',
      message: 'the processes cannot be shared out',
      expected: `a multiple of ${tensor * pipeline}: tensor ${tensor} × pipeline ${pipeline}`,
      found: `${processes} processes`,
    })
  }
  const data = parallel.data ?? Math.max(1, Math.floor(processes / (tensor * pipeline)))
  // A CPU's arithmetic and its communication share the processors.
  const { sequenceParallel = tensor > 1, zero = data > 1, tensorChunks = model.device === 'cpu' ? 1 : 4 } = parallel
  return { tensor, pipeline, data, chunks, sequenceParallel, tensorChunks, zero }
}
