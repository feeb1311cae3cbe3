/** Evaluations at chosen points of a run, their results stored so that a resumed run does not repeat them. */
import { mkdir, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { writeFileAtomic } from '../checkpoint/index.ts'
import type { TokenDataset } from '../data/index.ts'
import { AuroraError } from '../errors.ts'
import type { GPTBigCode } from '../models/index.ts'
import type { Tokenizer } from '../tokenizer/index.ts'

/** A moment of the run at which the model is evaluated. */
export interface EvaluationPoint {
  /** The stage just trained; '' before the first. */
  stage: string
  /** Steps done, and the tokens read in them. */
  step: number
  tokens: number
  /** Unique in the run: 'start', a stage's name at its end, 'step-<n>' at other checkpoints. */
  label: string
}

export interface EvaluationContext {
  model: GPTBigCode
  tokenizer: Tokenizer
  /** Held-out documents by corpus; training never sees them. */
  heldOut: Record<string, TokenDataset>
  point: EvaluationPoint
  signal?: AbortSignal
  /** Part done, 0 to 1. */
  onProgress?: (done: number) => void
}

/** Measures a model and says so in plain JSON. Rejects with the signal's reason when it is aborted. */
export interface Evaluator {
  readonly name: string
  evaluate(context: EvaluationContext): Promise<Record<string, unknown>>
}

export interface EvaluationRecord {
  /** The evaluator's name. */
  name: string
  point: EvaluationPoint
  result: Record<string, unknown>
  seconds: number
  /** Seconds since 1970 when it was done. */
  time: number
}

/** before: before the first step · stages: at each stage's end · checkpoints: at every other checkpoint too. */
export type EvaluationTime = 'before' | 'stages' | 'checkpoints'

export interface PlannedEvaluation {
  evaluator: Evaluator
  when: readonly EvaluationTime[]
}

/** evaluations.jsonl: one EvaluationRecord a line, in the order they were made. */
export class EvaluationLog {
  readonly path: string
  #records: EvaluationRecord[]

  private constructor(path: string, records: EvaluationRecord[]) {
    this.path = path
    this.#records = records
  }

  /** Opens the log for a run that goes on after `lastStep`; results of later points are dropped, their training is to be repeated. */
  static async open(path: string, lastStep: number): Promise<EvaluationLog> {
    await mkdir(dirname(path), { recursive: true })
    const records = (await readEvaluations(path)).filter(record => record.point.step <= lastStep)
    await writeFileAtomic(path, records.map(record => `${JSON.stringify(record)}\n`).join(''))
    return new EvaluationLog(path, records)
  }

  get records(): readonly EvaluationRecord[] {
    return this.#records
  }

  has(name: string, point: EvaluationPoint): boolean {
    return this.#records.some(record => record.name === name && record.point.label === point.label)
  }

  async add(record: EvaluationRecord): Promise<void> {
    const file = await open(this.path, 'a')
    try {
      await file.appendFile(`${JSON.stringify(record)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    this.#records.push(record)
  }
}

/** The whole records of an evaluations file; none when it does not exist. */
export async function readEvaluations(path: string): Promise<EvaluationRecord[]> {
  const content = await readFile(path, 'utf8').catch(() => '')
  return content.split('\n').flatMap(line => {
    try {
      return [JSON.parse(line) as EvaluationRecord]
    } catch {
      return []
    }
  })
}

/** Whether an evaluation planned for `when` is due at a point. */
export function isDue(when: readonly EvaluationTime[], point: EvaluationPoint): boolean {
  if (point.label === 'start') return when.includes('before')
  if (point.label === point.stage) return when.includes('stages') || when.includes('checkpoints')
  return when.includes('checkpoints')
}

export interface EvaluationPlan {
  evaluations: readonly PlannedEvaluation[]
  tokenizer: Tokenizer
  heldOut: Record<string, TokenDataset>
  /** The JSONL file of results. */
  path: string
  onProgress?: (name: string, point: EvaluationPoint, done: number) => void
}

/** The evaluations of a run: makes each once, at its points. */
export class Evaluations {
  readonly #plan: EvaluationPlan
  #log: EvaluationLog | undefined

  constructor(plan: EvaluationPlan) {
    expectUniqueNames(plan.evaluations)
    this.#plan = plan
  }

  /** Prepares for a run that goes on after `lastStep`. */
  async open(lastStep: number): Promise<void> {
    this.#log = await EvaluationLog.open(this.#plan.path, lastStep)
  }

  /** All results so far. */
  get records(): readonly EvaluationRecord[] {
    return this.#log?.records ?? []
  }

  /** Makes what is due at `point` and was not made before. Ends early, without an error, when the signal is aborted. */
  async at(
    point: EvaluationPoint,
    model: GPTBigCode,
    signal: AbortSignal | undefined,
    onRecord: (record: EvaluationRecord) => Promise<void>,
  ): Promise<void> {
    const { evaluations, tokenizer, heldOut, onProgress } = this.#plan
    for (const { evaluator, when } of evaluations) {
      const { name } = evaluator
      if (!isDue(when, point) || this.#log!.has(name, point)) continue
      const started = performance.now()
      let result: Record<string, unknown>
      try {
        signal?.throwIfAborted()
        result = await evaluator.evaluate({
          model,
          tokenizer,
          heldOut,
          point,
          signal,
          onProgress: done => onProgress?.(name, point, done),
        })
      } catch (error) {
        if (signal?.aborted) return
        throw error
      }
      const record = { name, point, result, seconds: (performance.now() - started) / 1000, time: Date.now() / 1000 }
      await this.#log!.add(record)
      await onRecord(record)
    }
  }
}

function expectUniqueNames(planned: readonly PlannedEvaluation[]): void {
  const names = planned.map(({ evaluator }) => evaluator.name)
  const repeated = names.find((name, i) => names.indexOf(name) !== i)
  if (repeated !== undefined) {
    throw new AuroraError({
      code: 'ERR_INVALID_ARGUMENT',
      message: `two evaluations are named "${repeated}"`,
      expected: 'a name of its own for each',
    })
  }
}
