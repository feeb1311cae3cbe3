/**
 * A Tensor is a plain object naming native memory. The memory is counted: its maker holds one reference, which `dispose()`
 * gives up, and whoever needs the values for longer (the autograd tape) retains it. When none is left the memory returns
 * to the device's allocator at once; work already enqueued on it still runs, because the allocator is stream-ordered.
 */
import { AuroraError } from '../errors.ts'
import { type Id, native } from '../native.ts'
import type { Device } from './device.ts'
import {
  type DType,
  dtypeCode,
  type Encoding,
  fromHostBuffer,
  hostEncoding,
  type TypedArray,
  toHostArray,
  wireCode,
} from './dtype.ts'

/** The native memory and how many hold it; apart from the Tensor, so that the collector's net can free it. */
interface Storage {
  readonly id: Id
  references: number
}

/** The safety net for forgotten tensors: frees their memory some time after the collector has found them unreachable. */
const forgotten = new FinalizationRegistry<Storage>(storage => {
  if (storage.references > 0) free(storage)
})

function free(storage: Storage): void {
  storage.references = 0
  native.free(storage.id)
}

export class Tensor {
  readonly id: Id
  readonly shape: readonly number[]
  readonly dtype: DType
  readonly device: Device
  /** Main gradient (f32, same shape): backward passes add to it. Undefined: this tensor is not trained. */
  gradient: Tensor | undefined = undefined
  /** The scope that will dispose of it. */
  home: Set<Tensor> | undefined = undefined
  #storage: Storage
  #givenUp = false

  /** Takes over a native tensor. Users make tensors with `tensor`, `empty`, `zeros` and the operations. */
  constructor(id: Id, shape: readonly number[], dtype: DType, device: Device) {
    this.id = id
    this.shape = shape
    this.dtype = dtype
    this.device = device
    this.#storage = { id, references: 1 }
    forgotten.register(this, this.#storage, this)
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape)
  }

  /** Whether the memory is gone: after `dispose()`, once no tape holds it any more. */
  get disposed(): boolean {
    return this.#storage.references === 0
  }

  /** `shape` from element `offset` on, on the same memory, which lives until the last of its views is disposed. */
  view(offset: number, shape: readonly number[]): Tensor {
    return track(new Tensor(native.view(this.id, offset, shape), [...shape], this.dtype, this.device))
  }

  /** The same elements in another shape, on the same memory. */
  reshape(shape: readonly number[]): Tensor {
    if (sizeOf(shape) !== this.size) {
      throw new AuroraError({
        code: 'ERR_SHAPE',
        message: 'reshape keeps the number of elements',
        expected: `a shape of ${this.size} elements, as [${this.shape}] has`,
        found: `[${shape}], which has ${sizeOf(shape)}`,
      })
    }
    return this.view(0, shape)
  }

  /** The values, once all enqueued before has run: f32 and bf16 as Float32Array, the integers in their own array types. */
  async read(): Promise<TypedArray> {
    return fromHostBuffer(await native.read(this.id, wireCode[hostEncoding(this.dtype)]), this.dtype)
  }

  /** The bytes as they lie in memory, in this tensor's own dtype, little-endian. */
  async readBytes(): Promise<Uint8Array> {
    return new Uint8Array(await native.read(this.id, dtypeCode[this.dtype]))
  }

  /** Overwrites the elements, converting to this tensor's dtype; integers are truncated as typed arrays do. */
  write(values: TypedArray | readonly number[]): void {
    native.write(this.id, toHostArray(values, this.dtype), wireCode[hostEncoding(this.dtype)])
  }

  /** Overwrites the elements from bytes in some encoding (little-endian), converting to this tensor's dtype. */
  writeBytes(bytes: Uint8Array, encoding: Encoding): void {
    native.write(this.id, bytes, wireCode[encoding])
  }

  /** The value of a tensor of one element. */
  async item(): Promise<number> {
    if (this.size !== 1) {
      throw new AuroraError({
        code: 'ERR_SHAPE',
        message: 'item() reads a tensor of one element',
        expected: 'size 1',
        found: `[${this.shape}]`,
      })
    }
    return (await this.read())[0]!
  }

  /** Frees the memory, at once or as soon as a tape has used it. A second call does nothing; views keep the memory alive. */
  dispose(): void {
    if (this.#givenUp) return
    this.#givenUp = true
    this.home?.delete(this)
    this.home = undefined
    this.release()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  /** One more holder of the memory, which then outlives `dispose()`. */
  retain(): void {
    this.#storage.references += 1
  }

  /** Gives up what `retain` took. */
  release(): void {
    this.#storage.references -= 1
    if (this.#storage.references > 0) return
    forgotten.unregister(this)
    free(this.#storage)
  }
}

/** A native view for a subclass of Tensor to be constructed on. */
export function viewId(of: Tensor, offset: number, shape: readonly number[]): Id {
  return native.view(of.id, offset, shape)
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

/** Set by scope.ts: registers a fresh tensor with the scope it was made in. */
let register: (made: Tensor) => void = () => {}

export function onTensorMade(hook: (made: Tensor) => void): void {
  register = hook
}

/** Registers a fresh tensor with the current scope and returns it. */
export function track(made: Tensor): Tensor {
  register(made)
  return made
}
