/** What is said of ranks that fail, and how an error goes from one process to another. */
import * as z from 'zod'
import { AuroraError, type AuroraErrorDetails } from '../../errors.ts'

/** Who a rank is, for people. */
export interface Identity {
  rank: number
  size: number
  hostname: string
  pid: number
}

export const describe = ({ rank, size, hostname, pid }: Identity) => `rank ${rank} of ${size} (host ${hostname}, process ${pid})`

/** Characters. */
const longest = 2000
const text = z.string().max(longest)
export const errorSchema = z.object({
  code: z.string().regex(/^[A-Z][A-Z_]{0,63}$/),
  message: text,
  expected: text.optional(),
  found: text.optional(),
  hint: text.optional(),
  failed: z.object({ rank: z.int().min(0), told: z.boolean() }).optional(),
})
export type Failure = z.infer<typeof errorSchema>

/** An error's parts, short enough for a message. An AuroraError's own message already holds expected, found and hint: they come off. */
export function failureOf(error: unknown): Failure {
  const cut = (words: string | undefined) => (words === undefined ? undefined : words.slice(0, longest))
  if (!(error instanceof AuroraError)) {
    const message = error instanceof Error ? error.message || error.name : String(error)
    return { code: 'ERR_UNEXPECTED', message: message.slice(0, longest) }
  }
  const { code, expected, found, hint } = error
  const end = new AuroraError({ code, message: '', expected, found, hint }).message
  const message = error.message.endsWith(end) ? error.message.slice(0, error.message.length - end.length) : error.message
  return {
    code: errorSchema.shape.code.safeParse(code).success ? code : 'ERR_UNEXPECTED',
    message: message.slice(0, longest),
    expected: cut(expected),
    found: cut(found),
    hint: cut(hint),
  }
}

/** ERR_RANK_FAILED: the job has ended because of one of its ranks. */
export class RankFailure extends AuroraError {
  /** The one that failed. */
  readonly rank: number
  /** It has told of an error of its own, which is this one's message; otherwise it is gone, silent or sends nonsense. */
  readonly told: boolean

  constructor(details: AuroraErrorDetails, { rank, told }: { rank: number; told: boolean }) {
    super(details)
    this.rank = rank
    this.told = told
  }
}

export function toError({ failed, ...details }: Failure): AuroraError {
  return failed ? new RankFailure(details, failed) : new AuroraError(details)
}

/** A rank whose connection closed. */
export function endedWithoutWord(who: Identity, at: string): Failure {
  return {
    code: 'ERR_RANK_FAILED',
    failed: { rank: who.rank, told: false },
    message: `${describe(who)} ended without a word during ${at}`,
    hint: `see what it printed last, and on its machine whether it was killed (dmesg tells of a lack of memory)`,
  }
}

/** A rank whose messages are wrong: a defect, or another program that took over its connection. */
export function wrongWords(who: Identity, at: string, what = ''): Failure {
  return {
    code: 'ERR_RANK_FAILED',
    failed: { rank: who.rank, told: false },
    message: `${describe(who)} sent what is no message of a job during ${at}`,
    found: what,
  }
}

/** A rank that sends nothing although its connection stands. */
export function silent(who: Identity, at: string, deadlineMs: number): Failure {
  return {
    code: 'ERR_RANK_FAILED',
    failed: { rank: who.rank, told: false },
    message: `${describe(who)} has been silent for ${deadlineMs / 1000} s during ${at}`,
    hint: 'it is frozen, its event loop is blocked, or the network between the machines is down',
  }
}

/** A rank that told of an error of its own. */
export function toldError(who: Identity, at: string, error: Failure): Failure {
  return {
    code: 'ERR_RANK_FAILED',
    failed: { rank: who.rank, told: true },
    message: `${describe(who)} failed during ${at}: ${error.message} [${error.code}]`,
    expected: error.expected,
    found: error.found,
    hint: error.hint,
  }
}
