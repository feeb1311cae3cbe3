/** Whether a process that knocks at the coordinator's door is a rank of this job. */
import type { WorldEnvironment } from '../environment.ts'
import { describe, type Failure } from './failure.ts'
import { type Hello, helloSchema, introductionSchema, proofOf, sameProof } from './handshake.ts'

interface Admission {
  /** Undefined for a stranger: wrong words, or a wrong proof. */
  hello: Hello | undefined
  /** The message that answers the hello with these words. */
  answer: (words: object) => object
}

export function admit(header: Record<string, unknown>, nonce: string, key: string): Admission {
  const introduction = introductionSchema.safeParse(header).data
  let hello: Hello | undefined
  const nonces = [nonce, introduction?.nonce ?? ''] as const
  if (introduction && sameProof(proofOf(key, 'rank', nonces, introduction.hello), introduction.proof)) {
    try {
      hello = helloSchema.safeParse(JSON.parse(introduction.hello)).data
    } catch {
      hello = undefined
    }
  }
  const answer = (words: object) => {
    const text = JSON.stringify(words)
    return { kind: 'answer', words: text, proof: proofOf(key, 'coordinator', nonces, text) }
  }
  return { hello, answer }
}

/**
 * Why a rank does not fit the job. `stale`: it belongs to another job, so that it alone is refused; all else is a mistake in how this
 * job was started, which ends it.
 */
export function mismatch(
  hello: Hello,
  { size, job }: WorldEnvironment,
  { version, definition }: { version: string; definition: string },
  earlier: Hello | undefined,
): { failure: Failure; stale?: boolean } | undefined {
  const of = (what: string, own: unknown, other: unknown, hint: string): { failure: Failure } => ({
    failure: {
      code: 'ERR_WORLD',
      message: `${describe(hello)} does not fit the job: its ${what} is not rank 0's`,
      expected: `${own} (rank 0)`,
      found: `${other} (rank ${hello.rank})`,
      hint,
    },
  })
  if (hello.job !== job) {
    return {
      ...of('job', job, hello.job, 'it was left over by an earlier job, or was given the port of another one'),
      stale: true,
    }
  }
  if (hello.size !== size) return of('world size', size, hello.size, 'set WORLD_SIZE to the same number on every rank')
  if (hello.version !== version) return of('version', version, hello.version, 'install the same aurora-m on every machine')
  if (hello.definition !== definition) {
    return of('definition', definition, hello.definition, 'give every rank the same recipe and the same options')
  }
  if (hello.rank >= size) return of('range of ranks', `0 to ${size - 1}`, hello.rank, 'number the ranks from 0')
  if (!earlier) return undefined
  return {
    failure: {
      code: 'ERR_WORLD',
      message: `rank ${hello.rank} of ${size} was given twice`,
      expected: 'one process a rank',
      found: `${describe(earlier)} and ${describe(hello)}`,
      hint: 'set RANK to another number on every rank',
    },
  }
}
