import { native, type ProbeCode } from '../native.ts'
import { emptyLike, type Tensor } from '../tensor/index.ts'
import { expectVector } from './check.ts'

/** multiplyAdd and dotBf16: f32 arithmetic and dot products of bf16 pairs, in registers; read, copy and update (in place): passes over memory. */
export type ProbeKind = 'multiplyAdd' | 'dotBf16' | 'read' | 'copy' | 'update'

const probeCode: Readonly<Record<ProbeKind, ProbeCode>> = { multiplyAdd: 0, dotBf16: 1, read: 2, copy: 3, update: 4 }

/**
 * Keeps the device at one kind of work and nothing else: timed, it shows the machine's peak. The work is cut into `rounds` pieces,
 * each done by one thread; of memory each is a part of `buffer` f32 [M], which is read, has its first half copied to its second, or is negated in place.
 * @returns f32 [1]: the floating-point operations done, or the bytes read and written; 0 when the machine lacks the instruction
 */
export function probe(buffer: Tensor, kind: ProbeKind, rounds: number): Tensor {
  expectVector('probe', { buffer }, 'buffer [M]')
  const work = emptyLike(buffer, [1])
  native.probe(buffer.id, probeCode[kind], rounds, work.id)
  return work
}
