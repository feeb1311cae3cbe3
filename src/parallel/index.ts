/** Parallel training: layouts and their ranks, groups that communicate, a model's parts, pipeline schedules, and plans. */
export { optimizerBlocks, readOptimizer, readWeights, weightBlocks } from './blocks.ts'
export { compareReplicas } from './compare.ts'
export { isLoopback, type WorldEnvironment, worldFromEnvironment } from './environment.ts'
export { ParallelGradients } from './gradients.ts'
export {
  type Exchange,
  Group,
  type GroupOptions,
  type Pending,
  type Reduction,
} from './group.ts'
export { type ConnectOptions, connectGroups, type Groups, type Links } from './groups.ts'
export { type JobOptions, ParallelJob } from './job.ts'
export * from './layout.ts'
export { ModelPart, type PartOptions, type PartParameter, type PipelineStage } from './part.ts'
export { type PipelineOptions, runPipeline } from './pipeline.ts'
export * from './plan/index.ts'
export { type JoinOptions, RankFailure, World } from './rendezvous/index.ts'
export * from './schedule.ts'
export * from './simulate.ts'
