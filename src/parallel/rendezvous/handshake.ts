/**
 * How two processes of a job recognise each other. The coordinator sends a nonce; the joining rank answers with its hello, a nonce of
 * its own and the HMAC-SHA256 of all of that under the job's key; the coordinator's answer carries an HMAC over both nonces and its
 * words. Neither side sends the token, and what was heard on the wire cannot be played again, because both nonces are new each time.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import * as z from 'zod'
import { errorSchema } from './failure.ts'

const nonce = z.string().regex(/^[0-9a-f]{64}$/)
const word = z.string().min(1).max(256)

export const challengeSchema = z.object({ kind: z.literal('challenge'), nonce })

/** Who joins, and all that has to be the same on every rank. */
export const helloSchema = z.object({
  rank: z.int().min(0).max(1_000_000),
  size: z.int().min(1).max(1_000_000),
  job: word,
  version: word,
  definition: word,
  hostname: word,
  pid: z.int().min(0),
  /** The address to reach it at, where it was told one. */
  host: word.optional(),
  /** Its end of the connection. */
  address: word,
})
export type Hello = z.infer<typeof helloSchema>

/** `hello` is the text that the proof is over. */
export const introductionSchema = z.object({ kind: z.literal('hello'), nonce, hello: z.string().max(3000), proof: nonce })

/** The coordinator's answer to a hello; `words` is the JSON of an Answer. */
export const answerSchema = z.object({ kind: z.literal('answer'), words: z.string().max(60_000), proof: nonce })
export const answerWordsSchema = z.union([
  z.object({ welcome: z.object({ rank: z.int(), size: z.int(), hostname: word, pid: z.int() }) }),
  z.object({ refused: errorSchema }),
])
export type Answer = z.infer<typeof answerWordsSchema>

export const newNonce = () => randomBytes(32).toString('hex')

/** Without a token the job's name is the secret: it keeps strangers of the same machine apart, and no more. */
export const keyOf = (token: string | undefined, job: string) => token ?? `job ${job}`

/** `from` tells the two directions apart, so that a proof cannot be sent back to its maker. */
export function proofOf(key: string, from: 'rank' | 'coordinator', nonces: readonly [string, string], words: string): string {
  return createHmac('sha256', key)
    .update(JSON.stringify(['aurora rendezvous', from, ...nonces, words]))
    .digest('hex')
}

export function sameProof(expected: string, found: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(found)]
  return a.length === b.length && timingSafeEqual(a, b)
}
