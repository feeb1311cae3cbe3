/** Parallel training: layouts and their ranks, pipeline schedules, and plans. */
export * from './layout.ts'
export * from './plan/index.ts'
export * from './schedule.ts'
export * from './simulate.ts'
