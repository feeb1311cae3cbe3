/** What this package has measured of itself, on one process: recorded in bench/results, by `npm run bench -- train`. */
import { completeConfig } from '../../models/index.ts'
import { defaultLayout } from './layout.ts'
import { cpuMachine, type MeasuredCpu } from './machines.ts'
import type { PlanDType } from './memory.ts'
import type { PublishedRun, PublishedUse } from './published.ts'

/** Two cores of an AMD EPYC each; peaks as the same files have them. */
const avx512: MeasuredCpu = {
  peak: { f32: 442.5e9, bf16: 881.4e9 },
  memoryBandwidth: 57.0e9,
  memory: 25.3e9,
}
const avx2: MeasuredCpu = { peak: { f32: 197.8e9, bf16: 197.8e9 }, memoryBandwidth: 50.9e9, memory: 25.3e9 }

const shapes = {
  '110M': { config: { nLayer: 12, nEmbd: 768, nHead: 12, vocabSize: 49152 }, batch: { sequences: 2, length: 512 } },
  '5M': { config: { nLayer: 4, nEmbd: 256, nHead: 4, vocabSize: 8192 }, batch: { sequences: 8, length: 256 } },
}

const measured = (
  shape: keyof typeof shapes,
  dtype: PlanDType,
  instructions: 'AVX-512' | 'AVX2',
  seconds: number,
  use: PublishedUse,
): PublishedRun => {
  const { config, batch } = shapes[shape]
  return {
    name: `${shape} ${dtype}, two cores, ${instructions}`,
    devices: 1,
    software: 'aurora-m',
    use,
    published: { value: seconds, unit: 'seconds a step' },
    source: `bench/results/${instructions === 'AVX2' ? '2026-11-26T00-47-48' : '2026-11-24T06-11-51'}-train.json`,
    remarks: 'median; peaks from the same file',
    run: {
      config: completeConfig(config),
      batch,
      layout: { ...defaultLayout, microBatch: batch.sequences },
      machine: cpuMachine(instructions === 'AVX2' ? avx2 : avx512, 1),
      dtype,
      attention: 'fused',
    },
  }
}

export const measuredRuns: readonly PublishedRun[] = [
  measured('110M', 'f32', 'AVX-512', 2.479, 'fit'),
  measured('5M', 'f32', 'AVX-512', 0.274, 'forecast'),
  measured('110M', 'bf16', 'AVX-512', 1.364, 'forecast'),
  measured('5M', 'bf16', 'AVX-512', 0.1554, 'forecast'),
  measured('110M', 'f32', 'AVX2', 4.876, 'forecast'),
  measured('5M', 'f32', 'AVX2', 0.4939, 'forecast'),
]
