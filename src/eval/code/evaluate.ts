/** Runs a code suite: the model completes each problem, a limited process runs the completions, pass@k tells how many are right. */
import { AuroraError } from '../../errors.ts'
import type { GPTBigCode } from '../../models/index.ts'
import type { Tokenizer } from '../../tokenizer/index.ts'
import { generate } from '../generate.ts'
import { bootstrapMean, type Interval } from '../statistics.ts'
import { passAtK } from './pass-at-k.ts'
import { type Execution, executePrograms, type Outcome, type SandboxInfo, type SandboxOptions, sandboxInfo } from './sandbox.ts'
import { type CodeSuite, codePrompt, programOf, pythonStops } from './suite.ts'

export interface CodeEvaluationOptions {
  suite: CodeSuite
  /**
   * Must be true: the evaluation executes programs that the model writes. They run in a limited process (see executePrograms),
   * which is no security boundary.
   */
  allowCodeExecution: boolean
  /** Completions drawn for each problem besides the greedy one, for pass@k; default 0. None are drawn at temperature 0. */
  samples?: number
  /** Of the drawn completions, default 0.8. */
  temperature?: number
  /** Default 0.95. */
  topP?: number
  /** The k of pass@k, each at most `samples`; default 1 and `samples`. */
  k?: readonly number[]
  /** Longest completion in tokens, default 256. */
  maxTokens?: number
  /** Where a completion ends; default {@link pythonStops}. */
  stops?: readonly string[]
  /** Completions in a batch, default 64. */
  batch?: number
  /** Of the drawn completions, default 0. */
  seed?: number
  /** Limits of the programs. */
  sandbox?: Omit<SandboxOptions, 'signal'>
  /** Greedy completions kept in the result, spread over the suite; default 8. */
  keep?: number
  signal?: AbortSignal
  /** Part done, 0 to 1. */
  onProgress?: (done: number) => void
}

/** A completion kept for the reader. */
export interface KeptCompletion {
  task: string
  prompt: string
  completion: string
  outcome: Outcome
  detail: string
}

export interface ProblemResult {
  task: string
  family: string | null
  greedy: Outcome
  /** Of the drawn completions, how many are right. */
  correct: number
}

/** pass rates over a group of problems, with bootstrap intervals over them. */
export interface PassRates {
  problems: number
  /** Share solved by the greedy completion: greedy pass@1. */
  greedy: Interval
  /** Unbiased pass@k by k, of the drawn completions; empty when none were drawn. */
  passAt: Record<string, Interval>
}

export type CodeResult = {
  kind: 'code'
  suite: string
  /** 'not run' when this machine cannot run the programs; then nothing below is filled in but the reason. */
  status: 'run' | 'not run'
  reason: string | null
  /** Drawn completions a problem, and how they were drawn. */
  samples: number
  temperature: number
  topP: number
  sandbox: SandboxInfo | null
  all: PassRates | null
  families: Record<string, PassRates>
  /** How all executions ended. */
  outcomes: Partial<Record<Outcome, number>>
  problems: ProblemResult[]
  completions: KeptCompletion[]
  /** Prompts that did not fit the model's context and were cut. */
  truncatedPrompts: number
}

/** Throws ERR_CODE_EXECUTION unless the caller has allowed it in so many words. */
export function requireCodeExecution(allowed: boolean | undefined): void {
  if (allowed === true) return
  throw new AuroraError({
    code: 'ERR_CODE_EXECUTION',
    message: 'a code suite executes programs that the model writes',
    expected: 'allowCodeExecution: true (--allow-code-execution)',
    found: String(allowed),
    hint: 'allow it on a machine whose loss you could bear: the limited process is no security boundary',
  })
}

export async function evaluateCode(model: GPTBigCode, tokenizer: Tokenizer, options: CodeEvaluationOptions): Promise<CodeResult> {
  const { suite, temperature = 0.8, topP = 0.95, keep = 8, signal, onProgress } = options
  requireCodeExecution(options.allowCodeExecution)
  const samples = temperature === 0 ? 0 : (options.samples ?? 0)
  const ks = options.k ?? (samples === 0 ? [] : [...new Set([1, samples])])
  for (const k of ks) passAtK(samples, 0, k) // refuses a k that the samples cannot give, before any work

  const notRun: CodeResult = {
    kind: 'code',
    suite: suite.name,
    status: 'not run',
    reason: null,
    samples,
    temperature,
    topP,
    sandbox: null,
    all: null,
    families: {},
    outcomes: {},
    problems: [],
    completions: [],
    truncatedPrompts: 0,
  }
  let sandbox: SandboxInfo
  try {
    sandbox = await sandboxInfo(options.sandbox?.python)
  } catch (error) {
    if (!(error instanceof AuroraError && error.code === 'ERR_PYTHON_MISSING')) throw error
    return { ...notRun, reason: error.message }
  }

  const { problems } = suite
  const prompts = problems.map(codePrompt)
  const drawing = { maxNewTokens: options.maxTokens ?? 256, stop: options.stops ?? pythonStops, batch: options.batch, signal }
  const parts = 1 + samples
  const greedy = await generate(model, tokenizer, prompts, {
    ...drawing,
    onProgress: done => onProgress?.((0.8 * done) / parts),
  })
  const drawn = await generate(
    model,
    tokenizer,
    prompts.flatMap(prompt => Array<string>(samples).fill(prompt)),
    {
      ...drawing,
      temperature,
      topP,
      seed: options.seed,
      onProgress: done => onProgress?.((0.8 * (1 + samples * done)) / parts),
    },
  )
  const executions = await executePrograms(
    [
      ...problems.map((problem, p) => programOf(problem, greedy[p]!.text)),
      ...drawn.map(({ text }, i) => programOf(problems[Math.floor(i / samples)]!, text)),
    ],
    { ...options.sandbox, signal },
  )
  onProgress?.(1)

  const greedyOf = executions.slice(0, problems.length)
  const drawnOf = (p: number) => executions.slice(problems.length + p * samples, problems.length + (p + 1) * samples)
  const results = problems.map(
    (problem, p): ProblemResult => ({
      task: problem.task_id,
      family: problem.family ?? null,
      greedy: greedyOf[p]!.outcome,
      correct: drawnOf(p).filter(({ outcome }) => outcome === 'passed').length,
    }),
  )
  const families = new Set(results.flatMap(({ family }) => (family === null ? [] : [family])))
  return {
    ...notRun,
    status: 'run',
    sandbox,
    all: passRates(results, samples, ks),
    families: Object.fromEntries(
      [...families].map(family => [
        family,
        passRates(
          results.filter(result => result.family === family),
          samples,
          ks,
        ),
      ]),
    ),
    outcomes: countOutcomes(executions),
    problems: results,
    completions: spread(problems.length, keep).map(p => ({
      task: problems[p]!.task_id,
      prompt: prompts[p]!,
      completion: greedy[p]!.text,
      ...greedyOf[p]!,
    })),
    truncatedPrompts: greedy.filter(({ promptTruncated }) => promptTruncated).length,
  }
}

/** pass@k of a group of problems from their counts of right completions. Pure. */
export function passRates(results: readonly ProblemResult[], samples: number, ks: readonly number[]): PassRates {
  const interval = (value: (result: ProblemResult) => number): Interval => {
    const { value: mean, low, high } = bootstrapMean(results.map(value))
    return { value: mean, low, high }
  }
  return {
    problems: results.length,
    greedy: interval(({ greedy }) => Number(greedy === 'passed')),
    passAt: Object.fromEntries(ks.map(k => [String(k), interval(({ correct }) => passAtK(samples, correct, k))])),
  }
}

function countOutcomes(executions: readonly Execution[]): Partial<Record<Outcome, number>> {
  const counts: Partial<Record<Outcome, number>> = {}
  for (const { outcome } of executions) counts[outcome] = (counts[outcome] ?? 0) + 1
  return counts
}

/** `count` indices below n, evenly spread. */
function spread(n: number, count: number): number[] {
  const size = Math.min(n, count)
  return Array.from({ length: size }, (_, i) => Math.floor((i * n) / size))
}
