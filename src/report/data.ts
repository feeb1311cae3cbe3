/**
 * What a report shows, as plain JSON: the report page is a pure function of this object, and the same object is written
 * beside it as report.json, so that every number in a plot can be read by a program.
 */
import type { ForgettingTable, Interval } from '../eval/index.ts'
import type { SafetyScore } from '../safety/index.ts'

export interface ReportStage {
  name: string
  /** First step and the step after the last. */
  from: number
  to: number
  tokens: number
  /** Share of the stage's sequences by domain; sums to 1. */
  mixture: Record<string, number>
}

export interface ReportStep {
  step: number
  /** Tokens trained up to and including this step. */
  tokens: number
  stage: string
  loss: number
  lossByDomain: Record<string, number>
  lr: number
  gradNorm: number
  tokensPerSecond: number
  skipped: boolean
}

/** Scores of red-team answers over one group of prompts (a language, a category, or all). */
export type SafetyGroup = Pick<SafetyScore, 'prompts' | 'carp' | 'asr'>

export interface ReportSafety {
  all: SafetyGroup
  byLanguage: Record<string, SafetyGroup>
  byCategory: Record<string, SafetyGroup>
  /** Share of benign prompts that were refused. */
  overRefusal: Interval | null
  /** The rule by which answers were judged, in words. */
  rule: string
}

export interface ReportCode {
  problems: number
  samples: number
  /** Share of problems that the greedy completion solves. */
  greedy: Interval
  /** Unbiased pass@k of the drawn samples by k ('1', '10', …); empty when none were drawn. */
  passAt: Record<string, Interval>
  /** Greedy pass@1 by family of problems. */
  byFamily: Record<string, number>
}

/** A prompt and what the model made of it. */
export interface ReportSample {
  label: string
  prompt: string
  answer: string
  verdict: string
}

/** All evaluations made at one point of the run. */
export interface ReportPoint {
  /** 'start', 'after base', … */
  label: string
  stage: string
  step: number
  tokens: number
  /** Before the first step, or the end of a stage: where stages are compared. */
  stageEnd: boolean
  bitsPerByte: Record<string, Interval>
  code?: ReportCode
  safety?: ReportSafety
  samples: ReportSample[]
}

export interface RunReport {
  version: 1
  title: string
  created: string
  /** Shown as a table of facts: model, device, data, time. */
  facts: Record<string, string>
  stages: ReportStage[]
  steps: ReportStep[]
  points: ReportPoint[]
  /** Bits per byte of each domain against the model that continual pretraining began with. */
  forgetting?: ForgettingTable
  /** Domains in the order and the names in which they are shown. */
  domains: Record<string, string>
  /** The recipe's text, when the run came from one. */
  recipe?: string
}
