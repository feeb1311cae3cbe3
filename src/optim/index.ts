export { AdamW, type AdamWOptions, adamW, clipScale, type Interval, type StatePiece } from './adamw.ts'
export { constant, linear, rewarm, type Schedule, type WarmupOptions, warmupCosine, wsd } from './schedules.ts'
