/** What a question answers with: rows, shown as a table and kept as JSON. */
import colours from 'picocolors'
import { table } from '../../src/cli/terminal.ts'
import type { Spread } from './timing.ts'

export interface Row {
  what: string
  /** Seconds of one run. */
  time?: Spread
  /** Further measurements, by the heading of their column. */
  numbers?: Record<string, number>
  /** Part of the machine's peak. */
  share?: { of: string; value: number }
  /** Seconds of the same work by each peer, and how many times ours they are. */
  peers?: Record<string, Spread & { ratio: number }>
  targets?: Target[]
}

/** What the project wants of a row. */
export interface Target {
  what: string
  wanted: number
  found: number
  reached: boolean
  text: string
}

type Unit = '%' | '×' | 'µs' | 'GiB'

export function atLeast(what: string, wanted: number, found: number, unit: Unit): Target {
  return { what, wanted, found, reached: found >= wanted, text: `≥ ${show(wanted, unit)} ${what}` }
}

export function atMost(what: string, wanted: number, found: number, unit: Unit): Target {
  return { what, wanted, found, reached: found <= wanted, text: `≤ ${show(wanted, unit)} ${what}` }
}

/** How many times as fast as the peer; absent when the peer is. */
export function againstPeer(name: string, wanted: number, { peers }: Row): Target[] {
  const peer = peers?.[name]
  return peer ? [atLeast(name, wanted, peer.ratio, '×')] : []
}

function show(value: number, unit: Unit): string {
  if (unit === '%') return `${(100 * value).toFixed(0)} %`
  return unit === '×' ? `${value.toFixed(2)}×` : `${value} ${unit}`
}

/** Only the columns that some row fills. */
export function showRows(rows: readonly Row[]): string {
  const numbers = [...new Set(rows.flatMap(row => Object.keys(row.numbers ?? {})))]
  const peers = [...new Set(rows.flatMap(row => Object.keys(row.peers ?? {})))]
  const columns: { head: string; cell: (row: Row) => string }[] = [
    { head: '', cell: row => row.what },
    { head: 'time', cell: ({ time }) => (time ? showSeconds(time.median) : '') },
    {
      head: 'min – max',
      cell: ({ time }) => (time && time.min < time.max ? `${showSeconds(time.min)} – ${showSeconds(time.max)}` : ''),
    },
    ...numbers.map(head => ({ head, cell: (row: Row) => showNumber(row.numbers?.[head]) })),
    { head: 'of peak', cell: ({ share }) => (share ? `${(100 * share.value).toFixed(1)} % ${share.of}` : '') },
    ...peers.map(name => ({ head: `× ${name}`, cell: ({ peers }: Row) => peers?.[name]?.ratio.toFixed(2) ?? '' })),
    { head: 'target', cell: ({ targets }) => (targets ?? []).map(showTarget).join(', ') },
  ]
  const filled = columns.filter(({ cell }) => rows.some(row => cell(row) !== ''))
  return table(
    filled.map(({ head }) => head),
    rows.map(row => filled.map(({ cell }) => cell(row))),
  )
}

function showTarget({ text, reached }: Target): string {
  return reached ? `${text} ${colours.green('✓')}` : `${text} ${colours.yellow('✗')}`
}

function showNumber(value: number | undefined): string {
  if (value === undefined) return ''
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

function showSeconds(seconds: number): string {
  if (seconds >= 1) return `${seconds.toFixed(2)} s`
  return seconds >= 1e-3 ? `${(1e3 * seconds).toFixed(2)} ms` : `${(1e6 * seconds).toFixed(1)} µs`
}
