/** Element types of tensors, and how they meet JavaScript's typed arrays. */
import type { DTypeCode, WireCode } from '../native.ts'

/** f32 and bf16 compute; i32, u16 and u8 hold ids and bytes. */
export type DType = 'f32' | 'bf16' | 'i32' | 'u16' | 'u8'
/** How bytes from outside (files) may be encoded: every DType, and IEEE half. */
export type Encoding = DType | 'f16'
export type TypedArray = Float32Array | Int32Array | Uint16Array | Uint8Array

export const dtypeCode: Readonly<Record<DType, DTypeCode>> = { f32: 0, bf16: 1, i32: 2, u16: 3, u8: 4 }
export const wireCode: Readonly<Record<Encoding, WireCode>> = { ...dtypeCode, f16: 5 }
/** Bytes of one element. */
export const elementBytes: Readonly<Record<Encoding, number>> = { f32: 4, bf16: 2, i32: 4, u16: 2, u8: 1, f16: 2 }

/** The encoding and array type in which JavaScript sees a tensor's values: bf16 as f32, all others as they are. */
const hostTypes = {
  f32: { encoding: 'f32', array: Float32Array },
  bf16: { encoding: 'f32', array: Float32Array },
  i32: { encoding: 'i32', array: Int32Array },
  u16: { encoding: 'u16', array: Uint16Array },
  u8: { encoding: 'u8', array: Uint8Array },
} as const satisfies Record<DType, { encoding: Encoding; array: unknown }>

export function hostEncoding(dtype: DType): Encoding {
  return hostTypes[dtype].encoding
}

/** The values as the typed array in which they cross to a tensor of `dtype`; not copied when they already are one. */
export function toHostArray(values: TypedArray | readonly number[], dtype: DType): TypedArray {
  const { array } = hostTypes[dtype]
  return values instanceof array ? values : array.from(values)
}

export function fromHostBuffer(buffer: ArrayBuffer, dtype: DType): TypedArray {
  return new hostTypes[dtype].array(buffer)
}

/** The dtype that fits a typed array by default; plain number arrays are f32. */
export function dtypeOf(values: TypedArray | readonly number[]): DType {
  if (values instanceof Int32Array) return 'i32'
  if (values instanceof Uint16Array) return 'u16'
  if (values instanceof Uint8Array) return 'u8'
  return 'f32'
}
