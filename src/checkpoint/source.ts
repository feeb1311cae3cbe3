/** Where stored tensors come from, whatever files hold them. */
import type { Tensor } from '../tensor/index.ts'
import type { TensorInfo } from './safetensors-header.ts'

/** Tensors by name, wherever they are stored. See {@link SafetensorsReader} for what the methods do. */
export interface TensorSource {
  readonly names: string[]
  has(name: string): boolean
  info(name: string): TensorInfo
  readBytes(name: string): Promise<Uint8Array>
  readInto(name: string, tensor: Tensor): Promise<void>
  close(): Promise<void>
}

/** Tensors of which blocks can be read: all that this package opens are such. */
export interface BlockSource extends TensorSource {
  /**
   * Fills `tensor` with the block [start, start + size) of the tensor of that name, converted to its dtype (floating-point and integers
   * do not mix). Only the block's bytes are read, and with them gaps of up to 32 KiB between its rows. `tensor` may have any shape of as many elements: its elements are the
   * block's in row-major order.
   *
   * @throws AuroraError ERR_CHECKPOINT_MISSING, ERR_CHECKPOINT_SHAPE, ERR_CHECKPOINT_DTYPE, and those of reading
   */
  readBlock(name: string, start: readonly number[], size: readonly number[], tensor: Tensor): Promise<void>
}

const optimizerState = /^(exp_avg|exp_avg_sq|master)\./

/** Whether a logical tensor of a checkpoint is the optimizer's (moments and master weights); the others are the model's. */
export function isOptimizerState(name: string): boolean {
  return optimizerState.test(name)
}
