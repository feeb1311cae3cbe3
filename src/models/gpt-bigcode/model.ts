import { Embedding, LayerNorm, ParameterStore } from '../../nn/index.ts'
import { type HeadLayout, linear, linearCrossEntropy, multiQueryAttention } from '../../ops/index.ts'
import { type Device, device, scope, type Tensor, tensor } from '../../tensor/index.ts'
import { Block, type Pass, runBlocks } from './block.ts'
import { completeConfig, type GPTBigCodeConfig } from './config.ts'
import { Dropout } from './dropout.ts'
import { parameterTree, trainingFlopsPerToken } from './parameters.ts'
import { loadPretrained, type PretrainedOptions, type SaveOptions, savePretrained } from './pretrained.ts'
import { checkRows, type TokenRows, type TrainingRows } from './rows.ts'

export interface GPTBigCodeOptions {
  /** Default 'cpu'. */
  device?: Device | string
  /** Parameters and activations; default 'f32'. With 'bf16' sums, norms, losses, gradients and optimizer state stay f32. */
  dtype?: 'f32' | 'bf16'
  /** Of initial weights and dropout; default 0. */
  seed?: number | bigint
  /** Default 0: none, whatever the config says, as is usual in continual pretraining. 'config': its three rates. */
  dropout?: 0 | 'config'
}

/**
 * GPTBigCode (StarCoder): a decoder with learned absolute positions, multi-query attention, pre-layer-norm blocks and a head
 * tied to the token embedding. It works on rows: the tokens of all sequences one after another, so that documents of any
 * length are packed without padding.
 */
export class GPTBigCode {
  readonly config: GPTBigCodeConfig
  readonly device: Device
  readonly dtype: 'f32' | 'bf16'
  readonly seed: number | bigint
  readonly parameters: ParameterStore
  readonly heads: HeadLayout
  /** Multiplies attention scores. */
  readonly attentionScale: number
  /** Store only the inputs of each block while training, and compute it once more in the backward pass. */
  checkpointing = false
  /** Names of tensors in the loaded checkpoint that are no parameters and were left out; see `fromPretrained`. */
  unusedTensors: readonly string[] = []
  readonly embedding: Embedding
  readonly blocks: readonly Block[]
  readonly finalNorm: LayerNorm
  readonly #dropout: 0 | 'config'

  /** Random weights, as GPTBigCode initialises them. Fields not given have Hugging Face's defaults. */
  static create(config: Partial<GPTBigCodeConfig>, options: GPTBigCodeOptions = {}): GPTBigCode {
    const model = new GPTBigCode(completeConfig(config), options)
    model.parameters.initialize(model.seed)
    return model
  }

  /**
   * Reads a folder in Hugging Face's layout: config.json and model.safetensors, or its shards with their index; f32, f16 or bf16.
   * Tensors that the model does not know are left out and listed in `unusedTensors`. Throws an AuroraError for a missing
   * tensor, a wrong shape, an lm_head that is not tied to the embedding, or a damaged file.
   */
  static fromPretrained(folder: string, options: PretrainedOptions = {}): Promise<GPTBigCode> {
    return loadPretrained(folder, config => new GPTBigCode(config, options))
  }

  private constructor(config: GPTBigCodeConfig, options: GPTBigCodeOptions) {
    this.config = config
    this.device = device(options.device)
    this.dtype = options.dtype ?? 'f32'
    this.seed = options.seed ?? 0
    this.#dropout = options.dropout ?? 0
    this.parameters = new ParameterStore(parameterTree(config), this)
    const width = config.nEmbd / config.nHead
    this.heads = { heads: config.nHead, keyHeads: config.multiQuery ? 1 : config.nHead, width }
    this.attentionScale = config.scaleAttnWeights ? 1 / Math.sqrt(width) : 1
    const parameters = this.parameters.group('transformer')
    this.embedding = new Embedding(parameters.group('wte'), parameters.group('wpe'))
    this.blocks = Array.from({ length: config.nLayer }, (_, layer) => new Block(parameters.group(`h.${layer}`), config, layer))
    this.finalNorm = new LayerNorm(parameters.group('ln_f'), config.layerNormEpsilon)
  }

  /**
   * The final hidden states, after the last norm: [N, D].
   * @param dropoutStep makes it a training pass with the model's dropout: a number of its own for each forward pass of the run
   */
  hidden(rows: TokenRows, dropoutStep?: number): Tensor {
    checkRows(this.config, rows)
    return scope(() => {
      const [tokens, positions, firstRow] = [this.#ids(rows.tokens), this.#ids(rows.positions), this.#ids(rows.firstRow)]
      const dropout = this.#dropoutOf(dropoutStep)
      const attend = (layer: number) => (qkv: Tensor) =>
        multiQueryAttention(qkv, firstRow, this.heads, { scale: this.attentionScale, ...dropout?.attention(layer) })
      return this.forward(tokens, positions, { attend, reads: [firstRow], dropout })
    })
  }

  /**
   * The cross-entropy of each row's target, f32 [N]; 0 where the target is −1. While recording it is the root for
   * `Tape.backward`, of the objective Σ weights·losses.
   */
  losses(rows: TrainingRows, dropoutStep?: number): Tensor {
    checkRows(this.config, rows)
    return scope(() => {
      const h = this.hidden(rows, dropoutStep)
      const weights = tensor(rows.weights, [rows.weights.length], { device: this.device })
      return linearCrossEntropy(h, this.embedding.tokens, this.#ids(rows.targets), { weights }).losses
    })
  }

  /** The head: hidden states [N, D] → logits [N, V]. For a few rows: training never holds the logits of a batch. */
  logits(hidden: Tensor): Tensor {
    return linear(hidden, this.embedding.tokens)
  }

  /** tokens, positions i32 [N] → final hidden states [N, D], with attention as `pass` says: for batches and for decoding alike. */
  forward(tokens: Tensor, positions: Tensor, pass: Pass): Tensor {
    return scope(() => {
      const embedded = this.embedding.forward(tokens, positions)
      const [h, branch] = runBlocks(this.blocks, pass.dropout?.embedding(embedded) ?? embedded, pass, this.checkpointing)
      const [, y] = this.finalNorm.forward(h, branch)
      return y
    })
  }

  /** Writes the folder that `fromPretrained` (and Hugging Face) reads: a new one whole or not at all; in one that exists, file by file. */
  savePretrained(folder: string, options: SaveOptions = {}): Promise<void> {
    return savePretrained(this, folder, options)
  }

  /** Elements of all parameters; the tied head counts once. */
  countParameters(): number {
    return this.parameters.count()
  }

  /** Model FLOPs to train on one token of sequences of `length`: see `trainingFlopsPerToken`. */
  flopsPerToken(length: number): number {
    return trainingFlopsPerToken(this.config, length)
  }

  dispose(): void {
    this.parameters.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  #ids(values: Int32Array): Tensor {
    return tensor(values, [values.length], { device: this.device })
  }

  #dropoutOf(step: number | undefined): Dropout | undefined {
    if (step === undefined || this.#dropout === 0) return undefined
    const { embdPdrop, residPdrop, attnPdrop } = this.config
    return new Dropout({ embedding: embdPdrop, residual: residPdrop, attention: attnPdrop }, this.seed, step)
  }
}
