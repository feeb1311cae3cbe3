/** aurora-m: continual pretraining of StarCoder-family (GPTBigCode) language models. */

export { checkpoint, noGrad, Tape } from './autograd/index.ts'
export * from './checkpoint/index.ts'
export * from './data/index.ts'
export { AuroraError, type AuroraErrorDetails } from './errors.ts'
export * from './eval/index.ts'
export {
  Decoder,
  type DecoderOptions,
  GPTBigCode,
  type GPTBigCodeConfig,
  type GPTBigCodeOptions,
  type PretrainedOptions,
  rowsOf,
  type SaveOptions,
  type TokenRows,
  type TrainingBytes,
  type TrainingRows,
  type TrainingShape,
  trainingBytes,
} from './models/index.ts'
export { type GradientBuffer, Parameter, ParameterStore, type Segment } from './nn/index.ts'
/** The differentiable operations the models are made of. */
export * as ops from './ops/index.ts'
export {
  AdamW,
  type AdamWOptions,
  adamW,
  clipScale,
  constant,
  linear,
  rewarm,
  type Schedule,
  type WarmupOptions,
  warmupCosine,
  wsd,
} from './optim/index.ts'
export * from './parallel/index.ts'
export * from './random/index.ts'
export * from './report/index.ts'
export * from './safety/index.ts'
export {
  Device,
  type DeviceInfo,
  type DType,
  device,
  type Encoding,
  empty,
  full,
  keep,
  type MemoryStats,
  type RandomOptions,
  randomNormal,
  randomUniform,
  Stream,
  scope,
  setDefaultDevice,
  Tensor,
  type TensorOptions,
  type TypedArray,
  tensor,
  zeros,
} from './tensor/index.ts'
export * from './tokenizer/index.ts'
export * from './train/index.ts'
export { version } from './version.ts'
