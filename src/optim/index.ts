export { AdamW, type AdamWOptions, adamW, clipScale } from './adamw.ts'
export { constant, linear, rewarm, type Schedule, type WarmupOptions, warmupCosine, wsd } from './schedules.ts'
