/** What a run leaves in its folder, and how others read it. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError } from '../checkpoint/index.ts'
import { AuroraError } from '../errors.ts'
import type { ParallelLayout } from '../parallel/index.ts'
import { type EvaluationRecord, readEvaluations } from './evaluations.ts'
import { readMetrics } from './metrics-log.ts'
import type { StepMetrics } from './step-metrics.ts'

export interface RunFiles {
  /** RunFacts as JSON. */
  facts: string
  /** A StepMetrics a line. */
  metrics: string
  /** An EvaluationRecord a line. */
  evaluations: string
  tensorboard: string
  /** Folders step-<n>, each also a model. */
  checkpoints: string
  /** Large corpora in tokenised form. */
  data: string
  /** The trained model, with its tokenizer, when the run has finished. */
  model: string
}

export function runFiles(folder: string): RunFiles {
  return {
    facts: join(folder, 'run.json'),
    metrics: join(folder, 'metrics.jsonl'),
    evaluations: join(folder, 'evaluations.jsonl'),
    tensorboard: join(folder, 'tensorboard'),
    checkpoints: join(folder, 'checkpoints'),
    data: join(folder, 'data'),
    model: join(folder, 'model'),
  }
}

export interface CorpusFacts {
  lang: string
  trainDocuments: number
  trainTokens: number
  heldOutDocuments: number
  heldOutTokens: number
}

export interface StageFacts {
  name: string
  /** Steps of the run before the stage. */
  firstStep: number
  steps: number
  tokens: number
  /** Share of each domain; sums to 1. */
  mixture: Record<string, number>
}

/** What a reader of the results needs to know of the run. */
export interface RunFacts {
  name: string
  seed: number
  /** ISO 8601, when the run was first started. */
  created: string
  versions: { aurora: string; node: string }
  device: { name: string; instructionSet: string; threads: number }
  /** How the run was spread over processes when it was last started; absent for one. */
  parallel?: ParallelLayout
  model: { config: Record<string, unknown>; dtype: string; parameters: number; from?: string }
  tokenizer: { vocabSize: number }
  /** FLOP per second of a plain matrix product on this device. */
  peak: number
  corpora: Record<string, CorpusFacts>
  stages: StageFacts[]
  totalSteps: number
  totalTokens: number
  /** The checked recipe. */
  recipe: Record<string, unknown>
}

export interface RunRecord {
  facts: RunFacts
  metrics: StepMetrics[]
  evaluations: EvaluationRecord[]
}

/** Reads what a run has left so far. */
export async function readRun(folder: string): Promise<RunRecord> {
  const files = runFiles(folder)
  const text = await readFile(files.facts, 'utf8').catch(error => {
    throw fileError('read', files.facts, error)
  })
  let facts: RunFacts
  try {
    facts = JSON.parse(text)
  } catch (cause) {
    throw new AuroraError({
      code: 'ERR_RUN_FOLDER',
      message: `${files.facts} is not JSON`,
      found: (cause as Error).message,
      cause,
    })
  }
  const metrics = await readMetrics(files.metrics)
  return { facts, metrics, evaluations: await readEvaluations(files.evaluations) }
}
