/**
 * TensorBoard event files: TFRecord framing around `tensorflow.Event` messages, of which scalars need four fields.
 *
 *   record = u64 length · u32 masked CRC-32C of the length · data · u32 masked CRC-32C of the data   (little-endian)
 *   Event   { 1: double wall_time, 2: int64 step, 3: string file_version, 5: Summary summary }
 *   Summary { 1: repeated Value }   Value { 1: string tag, 2: float simple_value }
 */
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { maskedCrc32c } from './crc32c.ts'

const fileVersion = 'brain.Event:2'
const filePattern = /^events\.out\.tfevents\./

export interface ScalarEvent {
  /** Seconds since 1970. */
  wallTime: number
  step: number
  scalars: Record<string, number>
}

/** One event file in `folder`, appended to. */
export class TensorBoardWriter {
  readonly path: string
  /** Step of the last event that was there when the file was opened; 0 without one. */
  readonly lastStep: number
  readonly #file: FileHandle

  private constructor(path: string, file: FileHandle, lastStep: number) {
    this.path = path
    this.#file = file
    this.lastStep = lastStep
  }

  /**
   * Opens the folder's event file, or starts one. Events of steps above `lastStep`, and a record that a crash cut short, are
   * removed, so that a resumed run writes each step once.
   */
  static async open(folder: string, lastStep: number): Promise<TensorBoardWriter> {
    await mkdir(folder, { recursive: true })
    const existing = (await readdir(folder))
      .filter(name => filePattern.test(name))
      .sort()
      .at(-1)
    const path = join(folder, existing ?? `events.out.tfevents.${Math.floor(Date.now() / 1000)}.${hostname()}`)
    let step = 0
    const keep = (event: ScalarEvent) => {
      if (event.step > lastStep) return false
      step = event.step
      return true
    }
    const end = existing ? await scan(path, keep) : 0
    const file = await open(path, 'a')
    await file.truncate(end)
    const writer = new TensorBoardWriter(path, file, step)
    if (end === 0) await file.appendFile(frame(encodeVersion()))
    return writer
  }

  /** Appends one event with all `scalars` of a step; values that are not finite are written as they are. */
  async write(event: ScalarEvent): Promise<void> {
    await this.#file.appendFile(frame(encodeEvent(event)))
  }

  async close(): Promise<void> {
    await this.#file.close()
  }
}

/** The scalar events of an event file, up to the first broken record. */
export async function readScalarEvents(path: string): Promise<ScalarEvent[]> {
  const events: ScalarEvent[] = []
  await scan(path, event => {
    if (Object.keys(event.scalars).length > 0) events.push(event)
    return true
  })
  return events
}

/** Walks the records while they are whole and `keep` says so; returns the byte after the last of them. */
async function scan(path: string, keep: (event: ScalarEvent) => boolean): Promise<number> {
  let end = 0
  let pending = Buffer.alloc(0)
  for await (const chunk of createReadStream(path)) {
    pending = Buffer.concat([pending, chunk as Buffer])
    let at = 0
    while (pending.length - at >= 12) {
      const header = pending.subarray(at, at + 8)
      const length = Number(header.readBigUInt64LE())
      if (pending.readUInt32LE(at + 8) !== maskedCrc32c(header)) return end
      if (pending.length - at < 16 + length) break
      const data = pending.subarray(at + 12, at + 12 + length)
      if (pending.readUInt32LE(at + 12 + length) !== maskedCrc32c(data)) return end
      if (!keep(decodeEvent(data))) return end
      at += 16 + length
      end += 16 + length
    }
    pending = pending.subarray(at)
  }
  return end
}

function frame(data: Uint8Array): Buffer {
  const record = Buffer.alloc(16 + data.length)
  record.writeBigUInt64LE(BigInt(data.length), 0)
  record.writeUInt32LE(maskedCrc32c(record.subarray(0, 8)), 8)
  record.set(data, 12)
  record.writeUInt32LE(maskedCrc32c(data), 12 + data.length)
  return record
}

// --- the few fields of protobuf's wire format -------------------------------------------------------------------------

function encodeVersion(): Buffer {
  return Buffer.concat([doubleField(1, Date.now() / 1000), bytesField(3, Buffer.from(fileVersion))])
}

function encodeEvent({ wallTime, step, scalars }: ScalarEvent): Buffer {
  const values = Object.entries(scalars).map(([tag, value]) =>
    bytesField(1, Buffer.concat([bytesField(1, Buffer.from(tag)), floatField(2, value)])),
  )
  return Buffer.concat([doubleField(1, wallTime), key(2, 0), varint(step), bytesField(5, Buffer.concat(values))])
}

function decodeEvent(data: Buffer): ScalarEvent {
  const event: ScalarEvent = { wallTime: 0, step: 0, scalars: {} }
  for (const field of fields(data)) {
    if (field.number === 1 && field.wire === 1) event.wallTime = field.bytes.readDoubleLE()
    if (field.number === 2 && field.wire === 0) event.step = field.value
    if (field.number === 5 && field.wire === 2) {
      for (const value of fields(field.bytes)) {
        let tag = ''
        let scalar: number | undefined
        for (const part of fields(value.bytes)) {
          if (part.number === 1 && part.wire === 2) tag = part.bytes.toString()
          if (part.number === 2 && part.wire === 5) scalar = part.bytes.readFloatLE()
        }
        if (scalar !== undefined) event.scalars[tag] = scalar
      }
    }
  }
  return event
}

function* fields(data: Buffer): Generator<{ number: number; wire: number; value: number; bytes: Buffer }> {
  let at = 0
  const readVarint = (): number => {
    let value = 0
    for (let scale = 1; at < data.length; scale *= 128) {
      const byte = data[at++]!
      value += (byte & 127) * scale
      if (byte < 128) break
    }
    return value
  }
  while (at < data.length) {
    const head = readVarint()
    const wire = head & 7
    const value = wire === 0 || wire === 2 ? readVarint() : 0
    const length = wire === 1 ? 8 : wire === 5 ? 4 : wire === 2 ? value : 0
    yield { number: head >>> 3, wire, value, bytes: data.subarray(at, at + length) }
    at += length
  }
}

function key(field: number, wire: number): Buffer {
  return varint((field << 3) | wire)
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128)
  return Buffer.from([...bytes, value])
}

function doubleField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return Buffer.concat([key(field, 1), bytes])
}

function floatField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return Buffer.concat([key(field, 5), bytes])
}

function bytesField(field: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([key(field, 2), varint(bytes.length), bytes])
}
