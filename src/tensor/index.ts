export type { DeviceInfo, MemoryStats } from '../native.ts'
export { accumulate, copy, fill, fillNormal } from './assign.ts'
export {
  empty,
  emptyLike,
  full,
  type RandomOptions,
  randomNormal,
  randomUniform,
  type TensorOptions,
  tensor,
  zeros,
} from './create.ts'
export { Device, device, Stream, setDefaultDevice } from './device.ts'
export { type DType, type Encoding, elementBytes, type TypedArray } from './dtype.ts'
export { keep, scope } from './scope.ts'
export { sizeOf, Tensor, viewId } from './tensor.ts'
export { tryModule } from './trial.ts'
