/** How many bytes training takes, from the model's shape alone. */
import { type DType, elementBytes } from '../../tensor/index.ts'
import { completeConfig, type GPTBigCodeConfig, innerWidth } from './config.ts'
import { parameterCount } from './parameters.ts'

export interface TrainingShape {
  dtype: Extract<DType, 'f32' | 'bf16'>
  /** Rows N of a micro-batch: sequences times length. */
  rows: number
  /** Blocks store their inputs only; default false. */
  checkpointing?: boolean
  /** Elements of the parameters that are trained; default all. */
  trainable?: number
  /** bf16 parameters are rounded stochastically and have no master weights; default false. */
  stochasticRounding?: boolean
}

/** Bytes of each kind at the moment when a training step holds most. */
export interface TrainingBytes {
  parameters: number
  /** Main gradients, f32. */
  gradients: number
  /** AdamW's two moments, f32. */
  moments: number
  /** f32 master weights, beside bf16 parameters that are rounded to nearest. */
  master: number
  /** What the tape saves, and the gradients and temporaries beside it; for a micro-batch. */
  activations: number
  total: number
}

/**
 * The bytes of tensors that a training step (AdamW, without dropout) holds at its peak; the kernels' workspaces come on top. With
 * frozen parameters the activations are an upper bound: what lies below everything trained is not saved.
 *
 * In elements a row, with W = (H + 2G)·K the width of the fused projection, a block saves 5·D + W + 2·F: the inputs of both norms and
 * of both projections behind them (4·D), queries, keys and values (W), attention's output (D), the MLP's pre-activation and activation
 * (2·F); and as f32 the norms' mean and rstd (4) and attention's log-sum-exp (H). The peak is one of
 * - the loss, with the final norm's input, its output and the gradient of that (3·D),
 * - the backward pass of the last MLP product, with the gradients of its output (D) and its input (F).
 *
 * With checkpointing a block saves only the residual stream and the branch to be added to it (2·D; the first block D), and the
 * backward pass holds one block recomputed, with its output (D). There the peak may also be
 * - the end of recomputing the last block, whose inputs and temporaries are still held (3·D instead of 2·D + F, and the inputs).
 */
export function trainingBytes(partial: Partial<GPTBigCodeConfig>, shape: TrainingShape): TrainingBytes {
  const config = completeConfig(partial)
  const count = parameterCount(config)
  const { dtype, trainable = count, stochasticRounding = false } = shape
  const bytes = {
    parameters: count * elementBytes[dtype],
    gradients: trainable * 4,
    moments: trainable * 8,
    master: dtype === 'bf16' && !stochasticRounding ? trainable * 4 : 0,
    activations: activationBytes(config, shape),
  }
  return { ...bytes, total: Object.values(bytes).reduce((sum, value) => sum + value) }
}

function activationBytes(config: GPTBigCodeConfig, { dtype, rows, checkpointing = false }: TrainingShape): number {
  const { nEmbd: D, nHead: H, nLayer: L, multiQuery } = config
  const F = innerWidth(config)
  const W = D + 2 * (multiQuery ? D / H : D)
  const block = 5 * D + W + 2 * F
  // f32 values of a block, and for the whole pass: token, position, first row, target, weight, loss, and the backward pass's seed.
  const blockWords = 4 + H
  const rowWords = 7
  const bytes = (elements: number, words: number) => rows * (elements * elementBytes[dtype] + 4 * (words + rowWords))
  if (!checkpointing) {
    return Math.max(bytes(L * block + 3 * D, L * blockWords + 2), bytes(L * block + D + F, L * blockWords))
  }
  // The first block's input is also the first of what it saves when it is computed again.
  const inputs = (blocks: number) => (blocks === 0 ? 0 : 2 * blocks - 1) * D
  return Math.max(
    bytes(inputs(L) + 3 * D, 2),
    bytes(inputs(L - 1) + block + 2 * D + F, blockWords),
    bytes((L === 1 ? 0 : inputs(L)) + block + 3 * D, blockWords),
  )
}
