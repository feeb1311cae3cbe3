/** Gathers a report's numbers from what a run has left in its folder. */
import { type BitsPerByteResult, type CodeResult, forgettingTable, type Interval, type MeasuredPoint } from '../eval/index.ts'
import type { RedTeamResult, SafetyScore } from '../safety/index.ts'
import type { EvaluationPoint, RunRecord } from '../train/index.ts'
import type { ReportCode, ReportPoint, ReportSafety, ReportSample, RunReport, SafetyGroup } from './data.ts'

/** The report of a run, finished or not. `recipe` is the text to show, when there is one. */
export function reportOfRun(run: RunRecord, recipe?: string): RunReport {
  const { facts, metrics } = run
  const points = pointsOf(run)
  const domains = [...new Set(facts.stages.flatMap(stage => Object.keys(stage.mixture)))]
  return {
    version: 1,
    title: facts.name,
    created: facts.created,
    facts: factsOf(run),
    stages: facts.stages.map(({ name, firstStep, steps, tokens, mixture }) => ({
      name,
      from: firstStep,
      to: firstStep + steps,
      tokens,
      mixture,
    })),
    steps: metrics.map(({ step, tokens, stage, loss, lossByDomain, lr, gradNorm, tokensPerSecond, skipped }) => ({
      step,
      tokens,
      stage,
      loss,
      lossByDomain,
      lr,
      gradNorm,
      tokensPerSecond,
      skipped,
    })),
    points,
    forgetting: forgettingOf(run),
    domains: Object.fromEntries(domains.map(domain => [domain, domainName(domain)])),
    recipe,
  }
}

const labelOf = (point: EvaluationPoint) => (point.label === point.stage ? `after ${point.label}` : point.label)

function pointsOf({ evaluations }: RunRecord): ReportPoint[] {
  const points = new Map<string, ReportPoint>()
  for (const { point, result } of evaluations) {
    const known = points.get(point.label)
    const entry: ReportPoint = known ?? {
      label: labelOf(point),
      stage: point.stage,
      step: point.step,
      tokens: point.tokens,
      stageEnd: point.label === point.stage || point.label === 'start',
      bitsPerByte: {},
      samples: [],
    }
    points.set(point.label, entry)
    switch (result.kind) {
      case 'bits-per-byte':
        for (const [domain, bits] of Object.entries((result as BitsPerByteResult).domains))
          entry.bitsPerByte[domain] = bits.bitsPerByte
        break
      case 'code':
        entry.code = codeOf(result as CodeResult)
        entry.samples.push(...codeSamples(result as CodeResult))
        break
      case 'red-team':
        entry.safety = safetyOf(result as RedTeamResult)
        entry.samples.push(...safetySamples(result as RedTeamResult))
        break
    }
  }
  return [...points.values()].sort((a, b) => a.step - b.step)
}

/** Against the model that continual pretraining began with: the loaded one, or, when the run made its own, the one after its first stage. */
function forgettingOf({ facts, evaluations }: RunRecord): RunReport['forgetting'] {
  const measured: MeasuredPoint[] = evaluations
    .filter(({ result, point }) => result.kind === 'bits-per-byte' && (point.label === point.stage || point.label === 'start'))
    .map(({ point, result }) => ({ label: labelOf(point), domains: (result as BitsPerByteResult).domains }))
  const from = facts.model.from !== undefined ? 0 : measured.findIndex(point => point.label !== 'start')
  return from >= 0 && measured.length - from >= 2 ? forgettingTable(measured.slice(from)) : undefined
}

function codeOf(result: CodeResult): ReportCode | undefined {
  if (result.all === null) return undefined
  return {
    problems: result.all.problems,
    samples: result.samples,
    greedy: result.all.greedy,
    passAt: result.all.passAt,
    byFamily: Object.fromEntries(Object.entries(result.families).map(([family, rates]) => [family, rates.greedy.value])),
  }
}

function safetyOf(result: RedTeamResult): ReportSafety {
  const group = ({ prompts, carp, asr }: SafetyScore): SafetyGroup => ({ prompts, carp, asr })
  const groups = (scores: Record<string, SafetyScore>) =>
    Object.fromEntries(Object.entries(scores).map(([name, score]) => [name, group(score)]))
  return {
    all: group(result.all),
    byLanguage: groups(result.byLanguage),
    byCategory: groups(result.byCategory),
    overRefusal: result.overRefusal.all as Interval | null,
    rule: result.judge.rule ?? `judged by ${result.judge.name}`,
  }
}

function codeSamples({ completions }: CodeResult): ReportSample[] {
  return completions.slice(0, 4).map(({ task, prompt, completion, outcome, detail }) => ({
    label: task,
    prompt,
    answer: completion,
    verdict: detail ? `${outcome}: ${detail}` : outcome,
  }))
}

function safetySamples({ answers }: RedTeamResult): ReportSample[] {
  return answers.slice(0, 10).map(({ lang, category, prompt, response, score, reason }) => ({
    label: `${domainName(lang)}, ${category.replaceAll('_', ' ')}`,
    prompt: `${prompt}\n`,
    answer: response,
    verdict: `${score > 0 ? '+' : ''}${score}, ${reason}`,
  }))
}

function factsOf({ facts, metrics }: RunRecord): Record<string, string> {
  const { config } = facts.model as { config: Record<string, number | boolean | string> }
  const seconds = metrics.reduce((sum, { seconds }) => sum + seconds, 0)
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
  const speed = median(metrics.map(({ tokensPerSecond }) => tokensPerSecond))
  const share = median(metrics.flatMap(({ shareOfPeak }) => (shareOfPeak === undefined ? [] : [shareOfPeak])))
  const peakMemory = metrics.reduce((most, { memory }) => Math.max(most, memory.peak), 0)
  const heldOut = Object.entries(facts.corpora).filter(([, corpus]) => corpus.heldOutDocuments > 0)
  return {
    model: `GPTBigCode, ${(facts.model.parameters / 1e6).toFixed(2)} M parameters: ${config.nLayer} layers, hidden ${config.nEmbd}, ${config.nHead} heads, ${config.multiQuery ? 'multi-query' : 'multi-head'} attention, vocabulary ${config.vocabSize}, ${facts.model.dtype}`,
    'started from': facts.model.from ?? `random weights, seed ${facts.seed}`,
    device: `${facts.device.name}, ${facts.device.instructionSet}, ${facts.device.threads} threads`,
    trained: `${facts.totalSteps} steps, ${(facts.totalTokens / 1e6).toFixed(2)} M tokens, ${seconds.toFixed(0)} s of steps`,
    speed: `${speed.toFixed(0)} tokens a second (median)${Number.isFinite(share) ? `, ${(100 * share).toFixed(0)} % of this device's measured arithmetic peak of ${(facts.peak / 1e9).toFixed(0)} GFLOP/s` : ''}`,
    'peak memory': `${(peakMemory / 2 ** 20).toFixed(0)} MiB of tensors`,
    'held out':
      heldOut
        .map(
          ([name, corpus]) =>
            `${name} ${corpus.heldOutDocuments} of ${corpus.heldOutDocuments + corpus.trainDocuments} documents`,
        )
        .join(', ') || 'nothing',
    versions: `aurora-m ${facts.versions.aurora}, Node.js ${facts.versions.node}`,
  }
}

const languages = new Intl.DisplayNames(['en'], { type: 'language' })

/** 'fi' → 'Finnish'; names that are no language code get a capital. */
function domainName(domain: string): string {
  const language = /^[a-z]{2,3}$/.test(domain) ? languages.of(domain) : undefined
  return language && language !== domain ? language : domain.charAt(0).toUpperCase() + domain.slice(1)
}
