/**
 * Messages on a stream: a mark of four bytes, the lengths of header and payload (32 bits each, big-endian), the header as JSON, the
 * payload. What comes in is hostile: a wrong mark or a length over its limit ends the reading before anything is kept.
 */
import type * as z from 'zod'

const mark = 0x41555231 // 'AUR1'
const prefix = 12

export interface Frame {
  header: Record<string, unknown>
  payload: Uint8Array
}

export interface FrameLimits {
  /** Bytes. */
  header: number
  payload: number
}

/** What came is no message of this protocol. */
export class FrameError extends Error {}

export function encodeFrame(header: object, payload?: Uint8Array): Uint8Array[] {
  const json = Buffer.from(JSON.stringify(header))
  const start = Buffer.alloc(prefix)
  start.writeUInt32BE(mark, 0)
  start.writeUInt32BE(json.length, 4)
  start.writeUInt32BE(payload?.length ?? 0, 8)
  const head = Buffer.concat([start, json])
  return payload?.length ? [head, payload] : [head]
}

/** Cuts a stream into frames. It holds at most one frame and the chunk that was given last. */
export class FrameReader {
  limits: FrameLimits
  #chunks: Uint8Array[] = []
  #held = 0
  #needed = prefix

  constructor(limits: FrameLimits) {
    this.limits = limits
  }

  /** Calls `take` with each frame that is complete. @throws FrameError */
  push(chunk: Uint8Array, take: (frame: Frame) => void): void {
    this.#chunks.push(chunk)
    this.#held += chunk.length
    while (this.#held >= this.#needed) {
      const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
      const data = Buffer.from(all.buffer, all.byteOffset, all.byteLength)
      this.#chunks = [data]
      const { header, payload } = this.#lengths(data)
      this.#needed = prefix + header + payload
      if (this.#held < this.#needed) return
      const rest = data.subarray(this.#needed)
      this.#chunks = rest.length ? [rest] : []
      this.#held = rest.length
      const frame = {
        header: parse(data.subarray(prefix, prefix + header)),
        payload: data.subarray(prefix + header, this.#needed),
      }
      this.#needed = prefix
      take(frame)
    }
  }

  #lengths(data: Buffer): FrameLimits {
    if (data.readUInt32BE(0) !== mark) throw new FrameError('not a message of this protocol')
    const header = data.readUInt32BE(4)
    const payload = data.readUInt32BE(8)
    if (header > this.limits.header || payload > this.limits.payload) {
      throw new FrameError(
        `a message of ${header} and ${payload} bytes, over the limit of ${this.limits.header} and ${this.limits.payload}`,
      )
    }
    return { header, payload }
  }
}

function parse(bytes: Buffer): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw new FrameError('a message whose header is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new FrameError('a message without a header')
  return value as Record<string, unknown>
}

/** A header that is of the schema. @throws FrameError */
export function read<T>(schema: z.ZodType<T>, header: unknown): T {
  const { data, error } = schema.safeParse(header)
  if (error)
    throw new FrameError(`a message of a form that is not known: ${error.issues[0]!.path.join('.')}: ${error.issues[0]!.message}`)
  return data
}
