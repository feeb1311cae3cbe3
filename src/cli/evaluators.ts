/** The evaluations a recipe names, made ready: their files are read, and what may not run is refused, before training starts. */
import { bitsPerByteEvaluator, codeEvaluator, readCodeSuite } from '../eval/index.ts'
import { readRedTeamSet, readRefusalPhrases, redTeamEvaluator, refusalRule } from '../safety/index.ts'
import type { Evaluator, RecipeEvaluation } from '../train/index.ts'

export interface EvaluatorSettings {
  allowCodeExecution: boolean
  seed: number
}

export function evaluatorsOf(evaluations: readonly RecipeEvaluation[], settings: EvaluatorSettings): Promise<Evaluator[]> {
  return Promise.all(evaluations.map(evaluation => evaluatorOf(evaluation, settings)))
}

async function evaluatorOf(evaluation: RecipeEvaluation, { allowCodeExecution, seed }: EvaluatorSettings): Promise<Evaluator> {
  const { name } = evaluation
  switch (evaluation.type) {
    case 'bitsPerByte':
      return bitsPerByteEvaluator({ name, domains: evaluation.on, maxTokens: evaluation.maxTokens })
    case 'codeSuite': {
      const { samples, temperature, topP, maxTokens } = evaluation
      const suite = await readCodeSuite(evaluation.tasks)
      return codeEvaluator({ name, suite, samples, temperature, topP, maxTokens, allowCodeExecution, seed })
    }
    case 'redTeam': {
      const set = await readRedTeamSet(evaluation.prompts)
      const judge = refusalRule(evaluation.refusals ? { phrases: await readRefusalPhrases(evaluation.refusals) } : {})
      return redTeamEvaluator({ name, set, judge, maxTokens: evaluation.maxTokens, seed })
    }
  }
}
