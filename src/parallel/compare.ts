/** Whether ranks that hold the same weights still hold the same bits: what memory errors and faulty devices show in first. */
import { crc32 } from 'node:zlib'
import { AuroraError } from '../errors.ts'
import { scope, type Tensor } from '../tensor/index.ts'
import type { ParallelJob } from './job.ts'
import { type GroupKind, groupOf } from './layout.ts'
import type { ModelPart } from './part.ts'

/** Elements read at once. */
const chunk = 2 ** 24

/** Which of a rank's weights the members of which group have alike. */
const alike: Readonly<Record<string, { kind: GroupKind; what: string }>> = {
  replica: { kind: 'data', what: 'weights' },
  shared: { kind: 'tensor', what: 'norms, shared keys and values' },
  table: { kind: 'embedding', what: 'token embedding of the first and last stage' },
}

/**
 * Compares checksums (CRC-32) of what ranks have alike; every rank of the job calls it.
 * @throws AuroraError ERR_DIVERGED, the same on all, naming the ranks that differ
 */
export async function compareReplicas(part: ModelPart, job: ParallelJob, step: number): Promise<void> {
  job.world.at(`step ${step}, comparing weights`)
  const shared = part.parts.flatMap(({ parameter, pieces }) =>
    pieces.filter(piece => piece.shared).map(piece => ({ parameter, piece })),
  )
  const own = await scope(async () => ({
    replica: await checksum([part.parameters.flat]),
    shared: await checksum(shared.map(({ parameter, piece }) => parameter.view(piece.offset, piece.size))),
    table: await checksum(part.tokenTable ? [part.tokenTable] : []),
  }))
  const all = await job.gather(`weights after ${step}`, own as Record<string, number>)
  for (const [name, { kind, what }] of Object.entries(alike)) {
    for (let rank = 0; rank < all.length; rank++) {
      const members = groupOf(job.layout, kind, rank) ?? []
      const odd = members.filter(member => all[member]![name] !== commonest(members.map(other => all[other]![name]!)))
      if (odd.length > 0) throw diverged(step, what, members, odd)
    }
  }
}

async function checksum(tensors: readonly Tensor[]): Promise<number> {
  let crc = 0
  for (const tensor of tensors) {
    for (let start = 0; start < tensor.size; start += chunk) {
      using view = tensor.view(start, [Math.min(chunk, tensor.size - start)])
      crc = crc32(await view.readBytes(), crc)
    }
  }
  return crc
}

function commonest(values: readonly number[]): number {
  const count = (value: number) => values.filter(other => other === value).length
  return values.reduce((best, value) => (count(value) > count(best) ? value : best))
}

function diverged(step: number, what: string, members: readonly number[], odd: readonly number[]): AuroraError {
  const others = members.filter(member => !odd.includes(member))
  const name = (ranks: readonly number[]) => `rank${ranks.length > 1 ? 's' : ''} ${ranks.join(', ')}`
  return new AuroraError({
    code: 'ERR_DIVERGED',
    message: `after step ${step} ${name(odd)} and ${name(others)} do not have the same ${what}`,
    expected: 'the same bits on both',
    found: 'checksums that differ',
    hint: 'go on from the last checkpoint; when it happens again, look for faulty memory or a faulty device there',
  })
}
