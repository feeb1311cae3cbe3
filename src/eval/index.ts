/** Evaluation: generation, held-out bits per byte, forgetting, code suites, and how sure the numbers are. */
export { type BitsPerByteOptions, bitsPerByte, type DomainBits } from './bits-per-byte.ts'
export {
  type CodeEvaluationOptions,
  type CodeResult,
  evaluateCode,
  type KeptCompletion,
  type PassRates,
  type ProblemResult,
} from './code/evaluate.ts'
export { passAtK } from './code/pass-at-k.ts'
export {
  type Execution,
  executePrograms,
  type Outcome,
  type SandboxInfo,
  type SandboxOptions,
  sandboxInfo,
} from './code/sandbox.ts'
export {
  type CodeProblem,
  type CodeSuite,
  canonicalCompletion,
  codePrompt,
  programOf,
  pythonStops,
  readCodeSuite,
} from './code/suite.ts'
export {
  type BitsPerByteEvaluatorOptions,
  type BitsPerByteResult,
  bitsPerByteEvaluator,
  type CodeEvaluatorOptions,
  codeEvaluator,
} from './evaluators.ts'
export {
  type ForgettingCell,
  type ForgettingRow,
  type ForgettingTable,
  forgettingTable,
  type MeasuredPoint,
} from './forgetting.ts'
export { type FinishReason, type GenerateOptions, type Generation, generate, generateStream } from './generate.ts'
export { JsonLine, readJsonLines } from './jsonl.ts'
export { type ContinuationScore, type ScoreItem, scoreContinuations } from './score.ts'
export {
  type BootstrapEstimate,
  type BootstrapOptions,
  bootstrap,
  bootstrapMean,
  bootstrapRatio,
  type Interval,
  pairedDifference,
  wilson,
} from './statistics.ts'
export { type TokenLossOptions, tokenLosses } from './token-losses.ts'
