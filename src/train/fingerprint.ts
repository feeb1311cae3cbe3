/** What defines a run, as plain JSON kept with its checkpoints: a run is only gone on with under the same definition. */
import { AuroraError } from '../errors.ts'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

export interface Difference {
  /** Such as `stages[1].data.weights.fi`. */
  path: string
  stored: Json | undefined
  found: Json | undefined
}

/** A value as JSON would keep it: undefined entries dropped, NaN null, bigints as text. */
export function plainJson(value: unknown): Json {
  return JSON.parse(JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? inner.toString() : inner)))
}

/** All places where two definitions differ, in the order of their keys. */
export function differences(stored: Json | undefined, found: Json | undefined, path = ''): Difference[] {
  if (isRecord(stored) && isRecord(found)) {
    const keys = [...new Set([...Object.keys(stored), ...Object.keys(found)])]
    return keys.flatMap(key => differences(stored[key], found[key], path === '' ? key : `${path}.${key}`))
  }
  if (Array.isArray(stored) && Array.isArray(found)) {
    const indices = Array.from({ length: Math.max(stored.length, found.length) }, (_, i) => i)
    return indices.flatMap(i => differences(stored[i], found[i], `${path}[${i}]`))
  }
  return stored === found ? [] : [{ path, stored, found }]
}

/**
 * Refuses to go on with another run's checkpoint.
 * @param allowed true allows every change; a list of paths allows changes at and below them
 */
export function expectSameRun(stored: Json, found: Json, allowed: boolean | readonly string[], folder: string): void {
  if (allowed === true) return
  const prefixes = allowed === false ? [] : allowed
  const isAllowed = (path: string) => prefixes.some(p => path === p || path.startsWith(`${p}.`) || path.startsWith(`${p}[`))
  const refused = differences(stored, found).filter(({ path }) => !isAllowed(path))
  if (refused.length === 0) return
  const first = refused[0]!
  throw new AuroraError({
    code: 'ERR_RUN_CHANGED',
    message: `the checkpoint ${folder} is of a run defined otherwise: ${refused.map(({ path }) => path).join(', ')}`,
    expected: `${first.path} = ${JSON.stringify(first.stored) ?? 'not given'}, as in the checkpoint`,
    found: JSON.stringify(first.found) ?? 'not given',
    hint: 'undo the change, start a new run in another folder, or allow the change explicitly',
  })
}

function isRecord(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
