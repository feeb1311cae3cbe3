/** Safety: red-team sets, judges, CARP, attack success rate and over-refusal. */
export {
  type KeptAnswer,
  type RedTeamEvaluatorOptions,
  type RedTeamOptions,
  type RedTeamResult,
  redTeam,
  redTeamEvaluator,
} from './evaluate.ts'
export {
  type Answer,
  type Judge,
  type RefusalRuleOptions,
  refusalRule,
  refusalRuleText,
  type Verdict,
  verdictOf,
} from './judge.ts'
export {
  instructionStops,
  type PromptKind,
  type RedTeamPrompt,
  type RedTeamSet,
  readRedTeamSet,
} from './red-team.ts'
export { defaultRefusalPhrases, type RefusalPhrases, readRefusalPhrases } from './refusal-phrases.ts'
export { carp, type JudgedAnswer, overRefusal, type SafetyScore, type SafetyTables, safetyScore, safetyTables } from './scores.ts'
