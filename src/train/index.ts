/** Training: curricula of stages, the trainer with its checkpoints and metrics, and recipes that describe whole runs. */
export type { Callback, CheckpointEvent, EndEvent, StageEvent, StartEvent } from './callbacks.ts'
export { readTrainingState, type TrainingState } from './checkpoints.ts'
export {
  type EvaluationContext,
  type EvaluationPlan,
  type EvaluationPoint,
  type EvaluationRecord,
  Evaluations,
  type EvaluationTime,
  type Evaluator,
  type PlannedEvaluation,
  readEvaluations,
} from './evaluations.ts'
export { type CheckpointTarget, type Learner, SingleLearner, type StepResult } from './learner.ts'
export { readMetrics } from './metrics-log.ts'
export { metricsOutput, tensorBoardOutput } from './outputs.ts'
export { ParallelLearner } from './parallel-learner.ts'
export { measurePeak, measureRate } from './peak.ts'
export { checkRecipe, defineRecipe, loadRecipe, parseRecipe } from './recipe/load.ts'
export { type RunOptions, type RunProgress, type RunResult, runRecipe } from './recipe/run.ts'
export type { CheckedRecipe, Recipe, RecipeCorpus, RecipeEvaluation, RecipeStage } from './recipe/schema.ts'
export {
  type CorpusFacts,
  type RunFacts,
  type RunFiles,
  type RunRecord,
  readRun,
  runFiles,
  type StageFacts,
} from './run-folder.ts'
export { Curriculum, type PlacedStage, type Stage, type StageOptions, stage } from './stage.ts'
export type { StepMetrics } from './step-metrics.ts'
export { readScalarEvents, type ScalarEvent, TensorBoardWriter } from './tensorboard.ts'
export { type RunControl, Trainer, type TrainerOptions } from './trainer.ts'
