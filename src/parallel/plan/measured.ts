/** What this package has measured of itself: recorded in bench/results, by `npm run bench -- train` and `npm run bench -- parallel`. */
import { completeConfig } from '../../models/index.ts'
import { worldSize } from '../layout.ts'
import { defaultLayout, type Layout } from './layout.ts'
import { cpuMachine, type MeasuredCpu } from './machines.ts'
import type { PlanDType } from './memory.ts'
import type { PublishedRun, PublishedUse } from './published.ts'

interface Measured extends MeasuredCpu {
  instructions: string
  /** Where its peaks are, and the times. */
  file: string
}

/** Two cores of a shared machine each; peaks as the same files have them. */
const memory = 25.3e9
const avx512: Measured = {
  instructions: 'AVX-512',
  file: '2026-11-24T06-11-51-train.json',
  peak: { f32: 442.5e9, bf16: 881.4e9 },
  memoryBandwidth: 57.0e9,
  memory,
}
const avx2: Measured = {
  instructions: 'AVX2',
  file: '2026-11-26T00-47-48-train.json',
  peak: { f32: 197.8e9, bf16: 197.8e9 },
  memoryBandwidth: 50.9e9,
  memory,
}
/** A slower one with AVX-512, on which processes of one thread each share a model. */
const slowAvx512: Measured = {
  instructions: 'AVX-512',
  file: '2026-11-28T06-20-50-parallel.json',
  peak: { f32: 346.2e9, bf16: 171.2e9 },
  memoryBandwidth: 41.2e9,
  memory,
}

const shapes = {
  '110M': { config: { nLayer: 12, nEmbd: 768, nHead: 12, vocabSize: 49152 }, batch: { sequences: 2, length: 512 } },
  '5M': { config: { nLayer: 4, nEmbd: 256, nHead: 4, vocabSize: 8192 }, batch: { sequences: 8, length: 256 } },
  '27M': { config: { nLayer: 4, nEmbd: 768, nHead: 12, vocabSize: 4096, nPositions: 256 }, batch: { sequences: 8, length: 256 } },
}

function measured(
  shape: keyof typeof shapes,
  dtype: PlanDType,
  on: Measured,
  seconds: number,
  use: PublishedUse,
  given: Partial<Layout> = {},
  what = 'two cores',
): PublishedRun {
  const { config, batch } = shapes[shape]
  const layout = { ...defaultLayout, microBatch: batch.sequences, ...given }
  const devices = worldSize(layout)
  return {
    name: `${shape} ${dtype}, ${what}, ${on.instructions}`,
    devices,
    software: 'aurora-m',
    use,
    published: { value: seconds, unit: 'seconds a step' },
    source: `bench/results/${on.file}`,
    remarks: 'median; peaks from the same file',
    run: {
      config: completeConfig(config),
      batch,
      layout,
      machine: cpuMachine(on, devices),
      dtype,
      attention: 'fused',
    },
  }
}

/** Two processes of one thread each, or one of two; micro-batches of one sequence. */
const inParallel = (what: string, seconds: number, given: Partial<Layout>) =>
  measured('27M', 'f32', slowAvx512, seconds, 'forecast', { ...given, microBatch: 1 }, what)

export const measuredRuns: readonly PublishedRun[] = [
  measured('110M', 'f32', avx512, 2.479, 'fit'),
  measured('5M', 'f32', avx512, 0.274, 'forecast'),
  measured('110M', 'bf16', avx512, 1.364, 'forecast'),
  measured('5M', 'bf16', avx512, 0.1554, 'forecast'),
  measured('110M', 'f32', avx2, 4.876, 'forecast'),
  measured('5M', 'f32', avx2, 0.4939, 'forecast'),
  inParallel('one process', 1.452, {}),
  inParallel('data 2', 1.391, { data: 2 }),
  inParallel('data 2 with ZeRO', 1.406, { data: 2, zero: true }),
  inParallel('tensor 2', 1.563, { tensor: 2 }),
  inParallel('tensor 2, sequence parallel', 1.557, { tensor: 2, sequenceParallel: true }),
  inParallel('pipeline 2', 1.677, { pipeline: 2 }),
]
