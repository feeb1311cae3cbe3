/** The forgetting table: each domain's bits per byte at each point of a run, against a base point. Pure functions. */
import { AuroraError } from '../errors.ts'
import type { DomainBits } from './bits-per-byte.ts'
import { bootstrapRatio, type Interval } from './statistics.ts'

/** The bits per byte measured at one point. */
export interface MeasuredPoint {
  label: string
  domains: Record<string, DomainBits>
}

export interface ForgettingCell {
  point: string
  bitsPerByte: number
  /** bitsPerByte − base: above 0 the domain was forgotten, below 0 it was learned. Bootstrapped over documents, in pairs where both points have the same ones. */
  change: Interval
  /** change / base. */
  relativeChange: number
}

export interface ForgettingRow {
  domain: string
  base: number
  /** One a point in order, the base among them; none for a point at which the domain was not measured. */
  cells: ForgettingCell[]
}

export interface ForgettingTable {
  /** Label of the point that all are compared with. */
  base: string
  points: string[]
  rows: ForgettingRow[]
}

/** @param base label of the point to compare with; default the first. Domains not measured there have no row. */
export function forgettingTable(points: readonly MeasuredPoint[], base?: string): ForgettingTable {
  const basePoint = base === undefined ? points[0] : points.find(point => point.label === base)
  if (basePoint === undefined) {
    throw new AuroraError({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'forgettingTable: no base point',
      expected: base === undefined ? 'at least one point' : `a point "${base}"`,
      found: points.map(point => point.label).join(', ') || 'none',
    })
  }
  const rows = Object.entries(basePoint.domains).map(
    ([domain, before]): ForgettingRow => ({
      domain,
      base: before.bitsPerByte.value,
      cells: points.flatMap(({ label, domains }) => {
        const after = domains[domain]
        return after === undefined ? [] : [compare(label, before, after)]
      }),
    }),
  )
  return { base: basePoint.label, points: points.map(point => point.label), rows }
}

function compare(point: string, before: DomainBits, after: DomainBits): ForgettingCell {
  const base = before.bitsPerByte.value
  const value = after.bitsPerByte.value - base
  const interval = sameDocuments(before, after) ? pairedChange(before, after) : unpairedChange(before, after)
  return {
    point,
    bitsPerByte: after.bitsPerByte.value,
    change: { value, low: interval.low, high: interval.high },
    relativeChange: value / base,
  }
}

function sameDocuments(before: DomainBits, after: DomainBits): boolean {
  return (
    before.documentBytes.length === after.documentBytes.length &&
    before.documentBytes.every((bytes, i) => bytes === after.documentBytes[i])
  )
}

function pairedChange(before: DomainBits, after: DomainBits) {
  return bootstrapRatio(
    after.documentBits.map((bits, i) => bits - before.documentBits[i]!),
    before.documentBytes,
  )
}

/** Two independent measurements: their variances add. */
function unpairedChange(before: DomainBits, after: DomainBits) {
  const value = after.bitsPerByte.value - before.bitsPerByte.value
  const half = 1.96 * Math.hypot(before.bitsPerByte.standardError, after.bitsPerByte.standardError)
  return { low: value - half, high: value + half }
}
