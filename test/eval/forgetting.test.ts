import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type DomainBits, forgettingTable } from '../../src/eval/index.ts'
import { bootstrapRatio } from '../../src/eval/statistics.ts'

function domain(bits: number[], bytes: number[]): DomainBits {
  return {
    bitsPerByte: bootstrapRatio(bits, bytes),
    lossPerToken: 1,
    documents: bits.length,
    tokens: 10,
    bytes: bytes.reduce((sum, each) => sum + each, 0),
    endOfText: { tokens: 0, bits: 0 },
    documentBits: bits,
    documentBytes: bytes,
  }
}

test('change and relative change of every domain at every point', () => {
  const bytes = [10, 20, 30]
  const table = forgettingTable([
    { label: 'base', domains: { code: domain([10, 20, 30], bytes), fi: domain([40, 80, 120], bytes) } },
    {
      label: 'cap',
      domains: { code: domain([16, 29, 45], bytes), fi: domain([20, 40, 60], bytes), ja: domain([1, 1, 1], bytes) },
    },
    { label: 'cat', domains: { code: domain([12, 24, 36], bytes) } },
  ])
  assert.is(table.base, 'base')
  assert.equal(table.points, ['base', 'cap', 'cat'])
  assert.equal(
    table.rows.map(row => [row.domain, row.base]),
    [
      ['code', 1],
      ['fi', 4],
    ],
  )
  const [code, fi] = table.rows
  assert.equal(
    code!.cells.map(cell => cell.point),
    ['base', 'cap', 'cat'],
  )
  assert.equal(code!.cells[0]!.change, { value: 0, low: 0, high: 0 })
  assert.ok(Math.abs(code!.cells[1]!.change.value - 0.5) < 1e-12)
  assert.ok(Math.abs(code!.cells[1]!.relativeChange - 0.5) < 1e-12)
  // Document by document the change is 0.6, 0.45 and 0.5 a byte: the paired interval lies within, far from 0.
  assert.ok(code!.cells[1]!.change.low >= 0.45 - 1e-12 && code!.cells[1]!.change.high <= 0.6 + 1e-12)
  assert.ok(Math.abs(code!.cells[2]!.change.value - 0.2) < 1e-12)
  assert.equal(
    fi!.cells.map(cell => cell.point),
    ['base', 'cap'],
  )
  assert.is(fi!.cells[1]!.relativeChange, -0.5)
})

test('another base, other documents, no points', () => {
  const points = [
    { label: 'a', domains: { en: domain([10, 20], [10, 20]) } },
    { label: 'b', domains: { en: domain([30, 10, 20], [10, 10, 10]) } },
  ]
  const [row] = forgettingTable(points, 'b').rows
  assert.is(row!.base, 2)
  const { change } = row!.cells[0]!
  assert.is(change.value, -1)
  assert.ok(change.low < -1 && change.high > -1)
  assert.throws(() => forgettingTable(points, 'z'), /no base point/)
  assert.throws(() => forgettingTable([]), /no base point/)
})

test.run()
