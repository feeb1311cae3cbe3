/** Asserts that something is refused with an AuroraError of a code, whose message matches. */
import * as assert from 'uvu/assert'
import { AuroraError } from '../../src/errors.ts'
import './device.ts'

export async function refuses(action: () => unknown, code: string, message = /./): Promise<void> {
  let error: unknown
  try {
    await action()
  } catch (caught) {
    error = caught
  }
  assert.ok(error instanceof AuroraError, `expected an AuroraError ${code}, got ${error}`)
  assert.is(error.code, code, error.message)
  assert.match(error.message, message)
}
