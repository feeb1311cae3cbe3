/** What others have published of training on MI250X: facts with their sources, to hold the plan's predictions against. */
import { completeConfig, type GPTBigCodeConfig } from '../../models/index.ts'
import { type BatchShape, defaultLayout, type Layout } from './layout.ts'
import type { Machine } from './machines.ts'
import type { PlanDType } from './memory.ts'
import { knownModels } from './models.ts'
import type { Software } from './shares.ts'

/**
 * What a row is used for. 'fit': constants were chosen so that the prediction is right, so it says nothing of the model's quality.
 * 'forecast': nothing of it went into the constants. 'no forecast': the sources do not say what is needed to predict it.
 */
export type PublishedUse = 'fit' | 'forecast' | 'no forecast'

export interface PublishedRun {
  name: string
  devices: number
  software: Software
  use: PublishedUse
  published: { value: number; unit: 'seconds a step' | 'sequences/s' | 'tokens/s a device' | '% of peak' }
  source: string
  /** What the prediction takes for granted because the source does not say it, and what is special about the number. */
  remarks: string
  run?: {
    config: GPTBigCodeConfig
    batch: BatchShape
    layout: Layout
    /** Default: a GCD of LUMI, bf16, unfused attention. */
    machine?: Machine
    dtype?: PlanDType
    attention?: 'fused' | 'unfused'
  }
}

const lumi = 'https://github.com/spyysalo/lumi-llm-scaling'
const frontier = 'https://arxiv.org/abs/2312.12705'

const shape = (nLayer: number, nEmbd: number, nHead: number, multiQuery = false) =>
  completeConfig({ nLayer, nEmbd, nHead, multiQuery, vocabSize: 51200, nPositions: 2048, activationFunction: 'gelu_new' })

const layout = (tensor: number, pipeline: number, data: number, microBatch: number, more: Partial<Layout> = {}): Layout => ({
  ...defaultLayout,
  tensor,
  pipeline,
  data,
  microBatch,
  checkpointing: true,
  ...more,
})

const megatronDeepSpeed = (
  name: string,
  use: PublishedUse,
  published: PublishedRun['published'],
  config: GPTBigCodeConfig,
  sequences: number,
  of: Layout,
  remarks = '',
): PublishedRun => ({
  name,
  devices: of.tensor * of.pipeline * of.data,
  software: 'Megatron-DeepSpeed',
  use,
  published,
  source: `${lumi}/tree/main/meg-ds`,
  remarks: `gradients taken to be reduced in f32, without overlap${remarks}`,
  run: { config, batch: { sequences, length: 2048 }, layout: of },
})

// The partition that the log prints: the last stage has fewer blocks, as it counts norm, head and loss among its modules.
const blocksOf175B = [9, 9, 9, 9, 9, 9, 9, 7]
const scaling175B = ([data, seconds, teraflops, use]: readonly [number, number, number, PublishedUse]) =>
  megatronDeepSpeed(
    `175B, ${64 * data} devices`,
    use,
    { value: seconds, unit: 'seconds a step' },
    shape(70, 14336, 112),
    1024,
    layout(8, 8, data, 2, { layersPerStage: blocksOf175B }),
    `; published as ${teraflops} TFLOP/s with recomputation, seconds from the same logs`,
  )

const auroraM = (checkpointing: boolean): PublishedRun => ({
  name: `Aurora-M 15.5B, recomputation ${checkpointing ? 'on' : 'off'}`,
  devices: 256,
  software: 'BigCode Megatron-LM',
  use: 'forecast',
  published: { value: 40.0, unit: 'seconds a step' },
  source: 'https://arxiv.org/abs/2404.00399',
  remarks:
    'derived: 435.8 G tokens in 48 days, pauses included (104.9 k tokens/s); neither recomputation nor the micro-batch (taken as 1) is stated',
  run: {
    config: { ...knownModels.get('starcoderbase-15b')!, nPositions: 2048 },
    batch: { sequences: 2048, length: 2048 },
    layout: layout(4, 4, 16, 1, { sequenceParallel: true, zero: true, checkpointing }),
  },
})

const onFrontier = (name: string, value: number): PublishedRun => ({
  name,
  devices: 0,
  software: 'Megatron-DeepSpeed on Frontier',
  use: 'no forecast',
  published: { value, unit: '% of peak' },
  source: frontier,
  remarks: 'layout, batch and whether recomputation counts are not in the sources read',
})

export const publishedRuns: readonly PublishedRun[] = [
  megatronDeepSpeed(
    '7B, 32 devices',
    'forecast',
    { value: 19.4, unit: 'sequences/s' },
    shape(32, 4096, 32),
    2048,
    layout(1, 2, 16, 2),
  ),
  megatronDeepSpeed('33B, 64 devices', 'fit', { value: 8.4, unit: 'sequences/s' }, shape(60, 6656, 52), 1024, layout(2, 4, 8, 2)),
  megatronDeepSpeed(
    '65B, 64 devices',
    'forecast',
    { value: 4.0, unit: 'sequences/s' },
    shape(80, 8192, 64),
    1024,
    layout(2, 8, 4, 2),
  ),
  ...(
    [
      [2, 346.67, 67.0, 'fit'],
      [4, 180.75, 64.3, 'forecast'],
      [8, 97.5, 59.6, 'forecast'],
      [16, 54.92, 52.9, 'forecast'],
      [32, 36.06, 40.3, 'forecast'],
    ] as const
  ).map(scaling175B),
  {
    name: '"33B" multi-query (27.1B), 64 devices',
    devices: 64,
    software: 'BigCode Megatron-LM',
    use: 'fit',
    published: { value: 177.1, unit: 'tokens/s a device' },
    source: `${lumi}/tree/main/bc-meg-lm`,
    remarks: 'mean of 7 steps with a deviation of 15.6 and a median of 182.8; 40.5 TFLOP/s with recomputation',
    run: {
      config: shape(60, 6656, 52, true),
      batch: { sequences: 1024, length: 2048 },
      layout: layout(4, 4, 4, 2, { sequenceParallel: true }),
    },
  },
  auroraM(false),
  auroraM(true),
  onFrontier('22B', 38.4),
  onFrontier('175B', 36.1),
  onFrontier('1T', 32.0),
]
