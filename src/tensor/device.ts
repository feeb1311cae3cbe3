/** Devices and their streams. */
import { AuroraError } from '../errors.ts'
import { type DeviceId, type DeviceInfo, type MemoryStats, native, type StreamId } from '../native.ts'
import { expectNoCrash } from './trial.ts'

/** A queue of operations: those of one stream run in order, two streams run beside each other. */
export class Stream {
  readonly device: Device
  readonly id: StreamId

  constructor(device: Device, id: StreamId) {
    this.device = device
    this.id = id
  }

  /** Operations that the synchronous `fn` enqueues on this stream's device go to this stream. */
  use<T>(fn: () => T): T {
    const previous = native.setStream(this.device.id, this.id)
    try {
      const result = fn()
      if (result instanceof Promise) {
        throw new AuroraError({
          code: 'ERR_INVALID_ARGUMENT',
          message: 'Stream.use takes a synchronous function',
          found: 'one that returned a promise',
          hint: 'enqueue the operations inside and await their results outside',
        })
      }
      return result
    } finally {
      native.setStream(this.device.id, previous)
    }
  }

  /** A point in this stream: the work enqueued so far. Give it to `waitFor` of another stream. */
  record(): number {
    return this.use(() => native.recordEvent(this.device.id))
  }

  /** Work enqueued on this stream from now on starts after that point. */
  waitFor(event: number): void {
    this.use(() => native.waitEvent(this.device.id, event))
  }
}

export class Device {
  readonly id: DeviceId
  readonly name: string

  constructor(name: string) {
    expectNoCrash(name)
    this.id = native.openDevice(name)
    this.name = name
  }

  info(): DeviceInfo {
    return native.deviceInfo(this.id)
  }

  /** Bytes and tensors alive on this device; see MemoryStats. */
  memory(): MemoryStats {
    return native.memory(this.id)
  }

  resetPeak(): void {
    native.resetPeak(this.id)
  }

  /** Gives cached memory back to the system. */
  trim(): Promise<void> {
    return native.trim(this.id)
  }

  /** Resolves when all enqueued work has run. Rejects with the first error that only the data could show. */
  synchronize(): Promise<void> {
    return native.synchronize(this.id)
  }

  createStream(): Stream {
    return new Stream(this, native.createStream(this.id))
  }
}

const devices = new Map<string, Device>()

let defaultName = 'cpu'

/** The device that tensors and models are made on when none is named: 'cpu' at first. Returns the previous one's name. */
export function setDefaultDevice(name: string): string {
  const previous = defaultName
  defaultName = device(name).name
  return previous
}

/**
 * The device of that name, opened on first use: one object a name. 'cpu'; 'hip:0', 'hip:1', … (AMD) and 'cuda:0', … (NVIDIA) when their
 * module is built; 'emulator' and 'emulator:32' for tests. Throws ERR_DEVICE, which says what is missing.
 */
export function device(name: string | Device = defaultName): Device {
  if (name instanceof Device) return name
  let found = devices.get(name)
  if (!found) {
    found = new Device(name)
    devices.set(name, found)
  }
  return found
}
