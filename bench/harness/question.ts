import type { Device } from '../../src/tensor/index.ts'
import type { Machine, Peaks } from './machine.ts'
import { type Absent, Peer } from './peers.ts'
import type { Row } from './report.ts'

/** What every question is given. */
export interface Setting {
  device: Device
  machine: Machine
  peaks: Peaks
  /** Small shapes, few repeats and no peers. */
  quick: boolean
  /** Whether a row of that name is asked for. */
  wanted: (what: string) => boolean
  /** Prints a line above the table. */
  note: (text: string) => void
}

/** One thing that is measured: a file of bench/. */
export interface Question {
  name: string
  asks: string
  answer: (setting: Setting) => Promise<Row[]>
}

export type FloatType = 'f32' | 'bf16'
export const floatTypes: readonly FloatType[] = ['f32', 'bf16']

/** Says which peers are there, runs `fn` with these, and stops them. */
export async function withPeers<T>(
  setting: Setting,
  starts: readonly (() => Promise<Peer | Absent>)[],
  fn: (peers: readonly Peer[]) => Promise<T>,
): Promise<T> {
  const peers: Peer[] = []
  try {
    for (const start of setting.quick ? [] : starts) {
      const found = await start()
      if (found instanceof Peer) peers.push(found)
      setting.note(found instanceof Peer ? `${found.name}: ${found.about}` : `${found.name}: absent, ${found.why}`)
    }
    return await fn(peers)
  } finally {
    await Promise.all(peers.map(peer => peer.stop()))
  }
}
