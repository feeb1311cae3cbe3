/** One TCP connection that carries frames; wrong bytes end it. Its socket does not keep the process alive. */
import type { Socket } from 'node:net'
import { encodeFrame, type Frame, FrameError, type FrameLimits, FrameReader } from './frames.ts'

/** Before a peer is known it may send one small header and no payload. */
export const strangerLimits = { header: 4096, payload: 0 }
/** Of what answers at rank 0's port, until it is known: room for an error's words. */
export const answerLimits = { header: 128 << 10, payload: 0 }
/** Of the members of the job; a header holds at most the list of a group's ranks. */
export const memberLimits = { header: 1 << 20, payload: 256 << 20 }

export class Connection {
  /** Called with each frame; a FrameError of it ends the connection. */
  onFrame: (frame: Frame) => void = () => {}
  /** Called with everything that comes, before it is understood. */
  onBytes: () => void = () => {}
  /** Called once, when nothing more will come, with the reason if what came was wrong. */
  onEnd: (error: FrameError | undefined) => void = () => {}
  readonly socket: Socket
  readonly #reader: FrameReader
  #ended = false
  #finishing = false

  constructor(socket: Socket, limits: FrameLimits) {
    this.socket = socket
    this.#reader = new FrameReader(limits)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 10_000)
    socket.unref()
    const end = (error?: FrameError) => {
      if (this.#ended) return
      this.#ended = true
      this.onEnd(error)
    }
    socket.on('data', chunk => {
      if (this.#ended) return
      this.onBytes()
      try {
        this.#reader.push(chunk, frame => {
          if (!this.#ended) this.onFrame(frame)
        })
      } catch (error) {
        if (!(error instanceof FrameError)) throw error
        end(error)
        if (!this.#finishing) socket.destroy()
      }
    })
    // Why a connection broke makes no difference; 'close' follows.
    socket.on('error', () => {})
    socket.on('end', () => end())
    socket.on('close', () => end())
  }

  /** From now on the peer is a member of the job. */
  trust(): void {
    this.#reader.limits = memberLimits
  }

  send(header: object, payload?: Uint8Array): void {
    if (!this.socket.writable) return
    for (const part of encodeFrame(header, payload)) this.socket.write(part)
  }

  /** Sends what is under way, then closes; what comes meanwhile is not read. After `graceMs` it is cut. */
  finish(graceMs = 2000): void {
    this.#ended = true
    this.#finishing = true
    this.socket.end()
    this.socket.resume()
    const timer = setTimeout(() => this.socket.destroy(), graceMs)
    timer.unref()
    this.socket.once('close', () => clearTimeout(timer))
  }

  destroy(): void {
    this.#ended = true
    this.socket.destroy()
  }
}
