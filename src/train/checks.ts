/** Checks of numbers that users give. */
import { AuroraError } from '../errors.ts'

/** A setting that is not given (undefined) passes. */
export function expectInteger(what: string, value: number | undefined, least: 0 | 1): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= least)) return
  throw invalidArgument(`bad ${what}`, least === 1 ? 'a positive integer' : 'a non-negative integer', String(value))
}

export function invalidArgument(message: string, expected: string, found: string): AuroraError {
  return new AuroraError({ code: 'ERR_INVALID_ARGUMENT', message, expected, found })
}
