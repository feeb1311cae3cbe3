/** Red-teaming: the model answers every prompt of a set, a judge scores the answers. */
import { instructionPrompt } from '../data/index.ts'
import { type GenerateOptions, generate, type Interval } from '../eval/index.ts'
import type { GPTBigCode } from '../models/index.ts'
import type { Tokenizer } from '../tokenizer/index.ts'
import type { Evaluator } from '../train/index.ts'
import { type Judge, refusalRule, verdictOf } from './judge.ts'
import { instructionStops, type PromptKind, type RedTeamSet } from './red-team.ts'
import { type JudgedAnswer, type SafetyScore, safetyTables } from './scores.ts'

export interface RedTeamOptions {
  set: RedTeamSet
  /** Default {@link refusalRule}. */
  judge?: Judge
  /** Longest answer in tokens, default 128. */
  maxTokens?: number
  /** Puts an instruction to the model; default {@link instructionPrompt}. */
  promptForm?: (instruction: string) => string
  /** Where an answer ends besides eos; default {@link instructionStops}. */
  stops?: readonly string[]
  /** Default 0: greedy answers. */
  temperature?: number
  topP?: number
  seed?: number
  /** Answers in a batch, default 64. */
  batch?: number
  /** Answers kept in the result, spread over languages, kinds and categories; default 20. */
  keep?: number
  signal?: AbortSignal
  /** Part done, 0 to 1. */
  onProgress?: (done: number) => void
}

/** An answer kept for the reader. */
export interface KeptAnswer {
  id: string
  lang: string
  category: string
  kind: PromptKind
  prompt: string
  response: string
  score: number
  reason: string
}

export type RedTeamResult = {
  kind: 'red-team'
  set: string
  /** Who judged, and by which rule, in words. */
  judge: { name: string; rule: string | null }
  all: SafetyScore
  byLanguage: Record<string, SafetyScore>
  byCategory: Record<string, SafetyScore>
  byLanguageAndCategory: Record<string, Record<string, SafetyScore>>
  /** Share of benign prompts that were refused; null without any. */
  overRefusal: { prompts: number; all: Interval | null; byLanguage: Record<string, Interval> }
  /** Score of each harmful prompt's answer by id, to compare two points prompt by prompt. */
  scores: Record<string, number>
  answers: KeptAnswer[]
  /** Prompts that did not fit the model's context and were cut. */
  truncatedPrompts: number
}

export async function redTeam(model: GPTBigCode, tokenizer: Tokenizer, options: RedTeamOptions): Promise<RedTeamResult> {
  const { set, judge = refusalRule(), promptForm = instructionPrompt, keep = 20, signal, onProgress } = options
  const drawing: GenerateOptions = {
    maxNewTokens: options.maxTokens ?? 128,
    stop: options.stops ?? instructionStops,
    temperature: options.temperature,
    topP: options.topP,
    seed: options.seed,
    batch: options.batch,
    signal,
    onProgress,
  }
  const generations = await generate(
    model,
    tokenizer,
    set.prompts.map(({ prompt }) => promptForm(prompt)),
    drawing,
  )
  const answers: JudgedAnswer[] = []
  for (const [i, prompt] of set.prompts.entries()) {
    signal?.throwIfAborted()
    const answer = { ...prompt, response: generations[i]!.text.trim() }
    answers.push({ ...answer, verdict: await verdictOf(judge, answer, signal) })
  }
  return {
    kind: 'red-team',
    set: set.name,
    judge: { name: judge.name, rule: judge.rule ?? null },
    ...safetyTables(answers),
    scores: Object.fromEntries(answers.filter(({ kind }) => kind === 'harmful').map(({ id, verdict }) => [id, verdict.score])),
    answers: spread(answers, keep).map(({ verdict, ...answer }) => ({ ...answer, score: verdict.score, reason: verdict.reason })),
    truncatedPrompts: generations.filter(({ promptTruncated }) => promptTruncated).length,
  }
}

export interface RedTeamEvaluatorOptions extends Omit<RedTeamOptions, 'signal' | 'onProgress'> {
  /** Default 'red-team'. */
  name?: string
}

/** {@link redTeam} in the form the trainer takes: a {@link RedTeamResult}. */
export function redTeamEvaluator(options: RedTeamEvaluatorOptions): Evaluator {
  return {
    name: options.name ?? 'red-team',
    evaluate({ model, tokenizer, signal, onProgress }): Promise<RedTeamResult> {
      return redTeam(model, tokenizer, { ...options, signal, onProgress })
    },
  }
}

/** Takes turns between languages and kinds, each time with another category: a few answers that show the whole set. */
function spread(answers: readonly JudgedAnswer[], count: number): JudgedAnswer[] {
  const groups = new Map<string, JudgedAnswer[]>()
  for (const answer of answers) {
    const key = `${answer.kind} ${answer.lang}`
    groups.set(key, [...(groups.get(key) ?? []), answer])
  }
  const chosen: JudgedAnswer[] = []
  const categories = new Set<string>()
  while (chosen.length < Math.min(count, answers.length)) {
    for (const group of groups.values()) {
      if (chosen.length >= count || group.length === 0) continue
      const fresh = group.findIndex(({ category }) => !categories.has(category))
      const [answer] = group.splice(Math.max(0, fresh), 1)
      if (fresh < 0) categories.clear()
      categories.add(answer!.category)
      chosen.push(answer!)
    }
  }
  return chosen
}
