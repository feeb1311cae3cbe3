/** A layout as it is planned: with the micro-batch and the memory's switches, checked against the model and the batch. */
import { AuroraError } from '../../errors.ts'
import { type GPTBigCodeConfig, innerWidth, matrixWeights } from '../../models/index.ts'
import { type ParallelLayout, singleLayout, worldSize } from '../layout.ts'
import { checkSchedule, stageLayers } from '../schedule.ts'

export interface Layout extends Omit<ParallelLayout, 'tensorChunks'> {
  /** Blocks store their inputs only, and are computed once more in the backward pass. */
  checkpointing: boolean
  /** Sequences a micro-batch. */
  microBatch: number
  /** Layers of each stage, in the order in which a micro-batch goes through them (P·v counts); default: as even as can be. */
  layersPerStage?: readonly number[]
}

export interface BatchShape {
  /** Sequences of a step. */
  sequences: number
  /** Tokens a sequence. */
  length: number
}

/** What a checked layout comes to. */
export interface PlannedLayout extends Layout {
  layersPerStage: readonly number[]
  /** Micro-batches of a step that each pipeline works through. */
  microBatches: number
  /** Rows N of a micro-batch. */
  rows: number
  /** What rows are divided by between the tensor-parallel regions: T with sequence parallelism, else 1. */
  rowShards: number
  /** Rows of the token embedding on a tensor rank; the last rank's are padded. */
  vocabularyRows: number
}

/** What is planned at all: larger worlds, and pipelines of more steps, would take long to go through and are surely mistakes. */
const most = { devices: 2 ** 20, steps: 2 ** 23 }

export const defaultLayout: Layout = { ...singleLayout, checkpointing: false, microBatch: 1 }

/**
 * Fills in what follows from a layout.
 * @throws AuroraError ERR_LAYOUT for what the model or the batch cannot be divided into
 */
export function planLayout(config: GPTBigCodeConfig, batch: BatchShape, layout: Layout): PlannedLayout {
  const { tensor, pipeline, data, chunks, microBatch } = layout
  for (const [what, value] of Object.entries({ tensor, pipeline, data, chunks, microBatch, ...batch }))
    if (!Number.isSafeInteger(value) || value < 1) throw layoutError(what, 'a positive integer', String(value))
  if (worldSize(layout) > most.devices)
    throw layoutError('the world is too large to be planned', `at most ${most.devices} devices`, String(worldSize(layout)))
  const { nHead, nPositions, vocabSize } = config
  const divide = (what: string, count: number, by: string, shards: number, hint: string) => {
    if (count % shards === 0) return
    throw layoutError(`${what} cannot be divided over ${by}`, `a multiple of ${shards}`, String(count), hint)
  }
  divide('the query heads', nHead, 'the tensor group', tensor, `choose a tensor size that divides ${nHead}`)
  divide('the MLP', innerWidth(config), 'the tensor group', tensor, 'choose a smaller tensor size')
  if (tensor > vocabSize) throw layoutError('the vocabulary is too small', `at least ${tensor} tokens`, String(vocabSize))
  if (layout.sequenceParallel && tensor === 1)
    throw layoutError('sequence parallelism works along the tensor group', 'tensor at least 2', '1')
  if (batch.length > nPositions)
    throw layoutError('sequences are longer than the position table', `at most ${nPositions}`, String(batch.length))
  const atOnce = data * microBatch
  const hint = 'choose other numbers of sequences, data-parallel ranks or sequences a micro-batch'
  divide('the sequences of a step', batch.sequences, `data ${data} × micro-batch ${microBatch}`, atOnce, hint)
  const rows = microBatch * batch.length
  const rowShards = layout.sequenceParallel ? tensor : 1
  divide('the rows of a micro-batch', rows, 'the tensor group', rowShards, 'choose another length, or no sequence parallelism')
  const microBatches = batch.sequences / atOnce
  checkSchedule({ stages: pipeline, microBatches, chunks })
  const layersPerStage = stageLayers(config.nLayer, pipeline * chunks, layout.layersPerStage)
  const steps = 2 * microBatches * chunks * pipeline
  if (pipeline > 1 && steps > most.steps) {
    throw layoutError(
      'the pipeline has too many steps to be simulated',
      `at most ${most.steps}`,
      `2 · ${microBatches} micro-batches · ${chunks} chunks · ${pipeline} stages`,
      'choose larger micro-batches or more data-parallel ranks',
    )
  }
  return { ...layout, layersPerStage, microBatches, rows, rowShards, vocabularyRows: Math.ceil(vocabSize / tensor) }
}

/**
 * Layers of `stages` stages with the head counted as the layers that its product is worth (V·D weights beside a block's), so that
 * the last stage has fewer of them. The embedding's look-up costs next to nothing.
 */
export function balancedLayers(config: GPTBigCodeConfig, stages: number): number[] {
  const block = matrixWeights({ ...config, vocabSize: 0, nLayer: 1 })
  return stageLayers(config.nLayer, stages, { head: (config.vocabSize * config.nEmbd) / block })
}

function layoutError(message: string, expected: string, found: string, hint?: string): AuroraError {
  return new AuroraError({ code: 'ERR_LAYOUT', message, expected, found, hint })
}
