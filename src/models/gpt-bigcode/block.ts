import { checkpoint } from '../../autograd/index.ts'
import { type Attend, LayerNorm, Linear, MLP, MultiQueryAttention, type ParameterGroup } from '../../nn/index.ts'
import { scope, type Tensor } from '../../tensor/index.ts'
import { activationOf, type GPTBigCodeConfig } from './config.ts'
import type { Dropout } from './dropout.ts'

/** What a forward pass varies in: how a layer's attention reads keys and values, and dropout. */
export interface Pass {
  attend: (layer: number) => Attend
  /** Tensors that `attend` reads, kept alive for a recomputation. */
  reads: readonly Tensor[]
  dropout?: Dropout | undefined
}

/** h += attention(ln_1(h)); h += mlp(ln_2(h)). */
export class Block {
  readonly layer: number
  readonly norm1: LayerNorm
  readonly attention: MultiQueryAttention
  readonly norm2: LayerNorm
  readonly mlp: MLP

  constructor(parameters: ParameterGroup, config: GPTBigCodeConfig, layer: number) {
    const attn = parameters.group('attn')
    const mlp = parameters.group('mlp')
    this.layer = layer
    this.norm1 = new LayerNorm(parameters.group('ln_1'), config.layerNormEpsilon)
    this.attention = new MultiQueryAttention(new Linear(attn.group('c_attn')), new Linear(attn.group('c_proj')))
    this.norm2 = new LayerNorm(parameters.group('ln_2'), config.layerNormEpsilon)
    this.mlp = new MLP(new Linear(mlp.group('c_fc')), new Linear(mlp.group('c_proj')), activationOf(config))
  }

  /**
   * The residual stream h [N, D] and the branch still to be added to it go in, and so they come out: each norm adds the branch
   * before it in the same pass over memory.
   */
  forward(h: Tensor, branch: Tensor | undefined, pass: Pass): [h: Tensor, branch: Tensor] {
    const { layer } = this
    const [h1, x1] = this.norm1.forward(h, branch)
    const attended = this.attention.forward(x1, pass.attend(layer))
    const [h2, x2] = this.norm2.forward(h1, pass.dropout?.branch(attended, layer, 'attentionBranch') ?? attended)
    const transformed = this.mlp.forward(x2)
    return [h2, pass.dropout?.branch(transformed, layer, 'mlpBranch') ?? transformed]
  }
}

/**
 * h [N, D], which is taken over, through blocks one after another: the residual stream and the branch still to be added to it.
 * @param checkpointing store only the inputs of each block while recording, and compute it once more in the backward pass
 */
export function runBlocks(
  blocks: readonly Block[],
  h: Tensor,
  pass: Pass,
  checkpointing: boolean,
): [h: Tensor, branch: Tensor | undefined] {
  let stream: [Tensor, Tensor | undefined] = [h, undefined]
  for (const block of blocks) {
    const inputs = stream.filter(tensor => tensor !== undefined) as [Tensor, Tensor?]
    const run = () => block.forward(inputs[0], inputs[1], pass)
    stream = checkpointing ? checkpoint(run, [...(inputs as Tensor[]), ...pass.reads]) : scope(run)
    // Whatever the tape needs of them it holds.
    for (const input of inputs) input?.dispose()
  }
  return stream
}
