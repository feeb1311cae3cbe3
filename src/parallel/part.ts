/** One rank's part of a GPTBigCode: of some layers its share of each matrix. */
import { noGrad } from '../autograd/index.ts'
import { openPretrained } from '../checkpoint/index.ts'
import { AuroraError } from '../errors.ts'
import {
  Block,
  checkRows,
  completeConfig,
  Dropout,
  type GPTBigCodeConfig,
  type GPTBigCodeOptions,
  type Pass,
  pretrainedConfig,
  runBlocks,
  type StageSpan,
  stageParameters,
  type TrainingRows,
  tensorSplit,
  tokenTable,
  trainingFlopsPerToken,
} from '../models/index.ts'
import {
  fillInitial,
  LayerNorm,
  localShape,
  type Parameter,
  ParameterStore,
  type Piece,
  piecesOf,
  type Split,
  share,
} from '../nn/index.ts'
import {
  add,
  embedding,
  type HeadLayout,
  linearCrossEntropy,
  multiQueryAttention,
  sliceColumns,
  vocabularyCrossEntropy,
} from '../ops/index.ts'
import { copy, type Device, empty, scope, sizeOf, type Tensor, tensor } from '../tensor/index.ts'
import { readWeights } from './blocks.ts'
import type { Groups } from './groups.ts'
import type { ParallelJob } from './job.ts'
import { coordinatesOf, type ParallelLayout } from './layout.ts'
import { stageLayers } from './schedule.ts'
import { TensorParallel } from './tensor.ts'

/** A parameter of which this rank holds pieces. */
export interface PartParameter {
  parameter: Parameter
  /** Of the logical parameter. */
  shape: readonly number[]
  /** Its index in the whole model. */
  index: number
  split: Split
  pieces: readonly Piece[]
  /** Another stage of the pipeline counts and saves it: the last stage's copy of the token table. */
  copyOfFirstStage: boolean
}

/** A stage of the pipeline on this rank. */
export interface PipelineStage extends StageSpan {
  /** 0 … P·chunks − 1 */
  index: number
  blocks: readonly Block[]
}

export interface PartOptions extends Omit<GPTBigCodeOptions, 'device'> {
  job: ParallelJob
  /** Layers of each of the P·chunks stages, in order; default: as even as they can be (see stageLayers). */
  layersPerStage?: readonly number[] | undefined
  checkpointing?: boolean
}

/** What one rank has of a model, and its forward pass stage by stage. The tensor-parallel group exchanges within; stages are for the pipeline to connect. */
export class ModelPart {
  readonly config: GPTBigCodeConfig
  readonly job: ParallelJob
  readonly layout: ParallelLayout
  readonly device: Device
  readonly dtype: 'f32' | 'bf16'
  readonly seed: number | bigint
  readonly checkpointing: boolean
  readonly parameters: ParameterStore
  readonly parts: readonly PartParameter[]
  /** Of this rank, by model chunk. */
  readonly stages: readonly PipelineStage[]
  /** Of this rank. */
  readonly heads: HeadLayout
  readonly tensor: TensorParallel
  readonly #tables: { tokens: Parameter; positions: Parameter } | undefined
  readonly #finalNorm: LayerNorm | undefined
  readonly #dropout: 0 | 'config'

  /** This rank's part of a model with random weights: those that GPTBigCode.create would give the whole with this seed. */
  static create(config: Partial<GPTBigCodeConfig>, options: PartOptions): ModelPart {
    const part = new ModelPart(completeConfig(config), options)
    for (const of of part.parts) part.#initialize(of)
    return part
  }

  /** This rank's part of a model in Hugging Face's layout or of a checkpoint of any layout; see GPTBigCode.fromPretrained. */
  static async fromPretrained(folder: string, options: PartOptions): Promise<ModelPart> {
    const part = new ModelPart(await pretrainedConfig(folder), options)
    const source = await openPretrained(folder)
    try {
      await readWeights(part, source, folder)
      await part.device.synchronize()
      return part
    } catch (error) {
      part.dispose()
      throw error
    } finally {
      await source.close()
    }
  }

  private constructor(config: GPTBigCodeConfig, options: PartOptions) {
    const { job } = options
    const { groups } = job
    checkTensor(config, groups.layout)
    this.config = config
    this.job = job
    this.layout = groups.layout
    this.device = job.device
    this.dtype = options.dtype ?? 'f32'
    this.seed = options.seed ?? 0
    this.checkpointing = options.checkpointing ?? false
    this.#dropout = options.dropout ?? 0
    this.tensor = new TensorParallel(groups.tensor, this.layout)
    const { pipeline } = coordinatesOf(this.layout, groups.rank)
    const spans = stageSpans(stageLayers(config.nLayer, groups.layout.pipeline * groups.layout.chunks, options.layersPerStage))
    const mine = Array.from({ length: this.layout.chunks }, (_, chunk) => chunk * this.layout.pipeline + pipeline)
    const logical = new Map(mine.flatMap(stage => [...stageParameters(config, spans[stage]!)].map(entry => [entry[0], entry])))
    const held = [...logical.values()].flatMap(([name, spec, index]) => {
      const split = tensorSplit(name, config)
      const pieces = piecesOf(split, spec.shape, groups.tensor)
      return pieces.length === 0 ? [] : [{ name, spec, index, split, pieces }]
    })
    const specs = held.map(({ name, spec, pieces }) => [name, { ...spec, shape: localShape(pieces) }])
    this.parameters = new ParameterStore(Object.fromEntries(specs), this)
    this.parts = held.map(({ name, spec, index, split, pieces }) => ({
      parameter: this.parameters.get(name),
      shape: spec.shape,
      index,
      split,
      pieces,
      copyOfFirstStage: name === tokenTable && pipeline > 0,
    }))

    const heads = config.nHead / this.layout.tensor
    this.heads = { heads, keyHeads: config.multiQuery ? 1 : heads, width: config.nEmbd / config.nHead }
    const root = this.parameters.group('transformer')
    this.stages = mine.map(index => {
      const { first, end, last } = spans[index]!
      const layers = Array.from({ length: end - first }, (_, i) => first + i)
      const blocks = layers.map(layer => this.#cut(new Block(root.group(`h.${layer}`), config, layer)))
      return { first, end, last, index, blocks }
    })
    if (this.stages[0]!.first === 0)
      this.#tables = { tokens: root.group('wte').get('weight'), positions: root.group('wpe').get('weight') }
    if (this.stages.at(-1)!.last) this.#finalNorm = new LayerNorm(root.group('ln_f'), config.layerNormEpsilon)
  }

  /**
   * A micro-batch through a stage.
   * @param input what the stage before gave, which is taken over; the first stage has none
   * @param dropoutStep as GPTBigCode.losses takes it
   * @returns the residual stream [N, D] (under sequence parallelism the rank's rows [N/T, D]); of the last stage the losses f32 [N]
   */
  forward(stage: PipelineStage, rows: TrainingRows, input: Tensor | undefined, dropoutStep?: number): Tensor {
    checkRows(this.config, rows)
    return scope(() => {
      const firstRow = this.#ids(rows.firstRow)
      const dropout = this.#dropoutOf(dropoutStep, rows.tokens.length)
      const firstHead = this.tensor.group.rank * this.heads.heads
      const attend = (layer: number) => (qkv: Tensor) =>
        multiQueryAttention(qkv, firstRow, this.heads, { scale: this.attentionScale, firstHead, ...dropout?.attention(layer) })
      const pass: Pass = { attend, reads: [firstRow], dropout }
      const start = input ?? this.#embed(rows, dropout)
      const [h, branch] = runBlocks(stage.blocks, start, pass, this.checkpointing)
      if (!stage.last) return branch ? add(h, branch) : h
      const [, y] = this.#finalNorm!.forward(h, branch)
      return this.#losses(y, rows)
    })
  }

  /** Shape of what one stage hands to the next for a micro-batch of N rows. */
  boundaryShape(rows: number): [number, number] {
    return [this.tensor.sequence ? rows / this.layout.tensor : rows, this.config.nEmbd]
  }

  /** Of the first and the last stage. */
  get tokenTable(): Parameter | undefined {
    return this.parameters.find(tokenTable)
  }

  /** See GPTBigCode.flopsPerToken: of the whole model. */
  flopsPerToken(length: number): number {
    return trainingFlopsPerToken(this.config, length)
  }

  dispose(): void {
    this.parameters.dispose()
  }

  get groups(): Groups {
    return this.job.groups
  }

  /** Multiplies attention scores. */
  get attentionScale(): number {
    return this.config.scaleAttnWeights ? 1 / Math.sqrt(this.heads.width) : 1
  }

  #cut(block: Block): Block {
    this.tensor.cutOutputs(block.attention.queryKeyValue)
    this.tensor.cutInputs(block.attention.project)
    this.tensor.cutOutputs(block.mlp.expand)
    this.tensor.cutInputs(block.mlp.project)
    return block
  }

  #embed({ tokens, positions }: TrainingRows, dropout: Dropout | undefined): Tensor {
    const { vocabSize, nPositions } = this.config
    const tables = this.#tables!
    const part = embedding(
      this.#ids(this.#local(tokens, vocabSize)),
      this.#ids(this.#local(positions, nPositions)),
      tables.tokens,
      tables.positions,
    )
    const h = this.tensor.group.size > 1 ? this.tensor.sum(part) : part
    return dropout?.embedding(h) ?? h
  }

  #losses(y: Tensor, rows: TrainingRows): Tensor {
    const table = this.tokenTable!
    const weights = tensor(rows.weights, [rows.weights.length], { device: this.device })
    if (this.tensor.group.size === 1) return linearCrossEntropy(y, table, this.#ids(rows.targets), { weights }).losses
    const targets = this.#ids(this.#local(rows.targets, this.config.vocabSize))
    return vocabularyCrossEntropy(y, table, targets, weights, this.tensor.vocabulary)
  }

  /** Ids counted from this rank's first row of a table of `size` rows: −1 stays, what another rank has becomes −2. */
  #local(ids: Int32Array, size: number): Int32Array {
    const [first, length] = share(size, this.tensor.group)
    return ids.map(id => (id < 0 ? -1 : id >= first && id < first + length ? id - first : -2))
  }

  #dropoutOf(step: number | undefined, rows: number): Dropout | undefined {
    if (step === undefined || this.#dropout === 0) return undefined
    const { embdPdrop, residPdrop, attnPdrop } = this.config
    const firstRow = this.tensor.sequence ? (rows / this.layout.tensor) * this.tensor.group.rank : 0
    return new Dropout({ embedding: embdPdrop, residual: residPdrop, attention: attnPdrop }, this.seed, step, firstRow)
  }

  /** A parameter of which others hold pieces, too, is made as a whole first, so that it is the same in every layout. */
  #initialize({ parameter, shape, index, pieces }: PartParameter): void {
    const { initial } = parameter
    if (sizeOf(shape) === parameter.size) {
      fillInitial(parameter, initial, this.seed, index)
      return
    }
    const width = sizeOf(shape.slice(1))
    noGrad(() =>
      scope(() => {
        const whole = empty(shape, this)
        fillInitial(whole, initial, this.seed, index)
        for (const { start, size, offset } of pieces) {
          const [from, to] = [whole.view(start[0]! * width, [size[0]!, ...shape.slice(1)]), parameter.view(offset, size)]
          copy(shape.length === 2 && size[1]! < shape[1]! ? sliceColumns(from, start[1]!, size[1]!) : from, to)
        }
      }),
    )
  }

  #ids(values: Int32Array): Tensor {
    return tensor(values, [values.length], { device: this.device })
  }
}

function checkTensor({ nHead }: GPTBigCodeConfig, { tensor, tensorChunks }: ParallelLayout): void {
  if (nHead % tensor !== 0)
    throw new AuroraError({
      code: 'ERR_LAYOUT',
      message: 'the query heads cannot be shared out',
      expected: `a tensor-parallel size that divides the ${nHead} heads`,
      found: String(tensor),
    })
  if (!Number.isInteger(tensorChunks) || tensorChunks < 1)
    throw new AuroraError({
      code: 'ERR_LAYOUT',
      message: 'tensor-parallel products cannot be exchanged in so many chunks',
      expected: 'tensorChunks to be a whole number from 1 on',
      found: String(tensorChunks),
    })
}

function stageSpans(layersPerStage: readonly number[]): StageSpan[] {
  let end = 0
  return layersPerStage.map((layers, stage) => {
    const first = end
    end += layers
    return { first, end, last: stage === layersPerStage.length - 1 }
  })
}
