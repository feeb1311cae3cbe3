/** Planning: memory and time of a parallel run before it is started. */
export { type CalibrationRow, calibrationTable, fitShares } from './calibration.ts'
export { type BatchShape, balancedLayers, defaultLayout, type Layout, type PlannedLayout, planLayout } from './layout.ts'
export {
  checkMachine,
  cpuMachine,
  findMachine,
  linkOf,
  type Machine,
  type MachineShares,
  type MeasuredCpu,
  machineNames,
  mi250xLumi,
  parseMachine,
} from './machines.ts'
export { chunkActivations, logitRows, type PlanDType, type RankBytes, rankBytes, rankParameters } from './memory.ts'
export { knownModels } from './models.ts'
export { makePlan, type Plan, type PlanOptions } from './plan.ts'
export { type PublishedRun, publishedRuns } from './published.ts'
export { type SearchOptions, type SearchResult, searchLayouts } from './search.ts'
export { fittedShares, type Software } from './shares.ts'
export { type StageSeconds, type StepTime, stageTotal, stepTime, type TimeOptions, type Traffic } from './time.ts'
