/** Predictions beside published runs: what is fitted is said to be, and forecasts are as far off as the documentation says. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { calibrationTable, fitShares, fittedShares, type MachineShares } from '../../src/parallel/index.ts'

const rows = calibrationTable()

test('the shares in use are those that the rows marked as fits give', () => {
  const fitted = fitShares()
  for (const [software, found] of Object.entries(fitted)) {
    const used: Partial<MachineShares> = fittedShares[software as keyof typeof fittedShares]
    assert.equal(Object.keys(used), Object.keys(found), 'all fitted constants, and no others')
    for (const [share, value] of Object.entries(found))
      assert.ok(
        Math.abs(used[share as 'gemm']! / value - 1) < 0.005,
        `${software} ${share}: fitted ${value}, used ${used[share as 'gemm']}`,
      )
  }
})

test('as many rows are fits as there are constants, and they are right', () => {
  const fits = rows.filter(({ use }) => use === 'fit')
  assert.is(fits.length, 4)
  // BigCode's fork has Megatron-DeepSpeed's link share.
  const { gemm, link } = fittedShares['Megatron-DeepSpeed']
  const fork = fittedShares['BigCode Megatron-LM']
  assert.is(fork.link, link)
  assert.is(new Set([gemm, link, fork.gemm, fittedShares['aurora-m'].gemm]).size, fits.length)
  for (const { name, error } of fits) assert.ok(Math.abs(error!) < 0.01, `${name} ${error}`)
})

test('forecasts are off by no more than the page on planning says', () => {
  const error = (name: string) => rows.find(row => row.name === name)!.error!
  for (const { name, use, software, error } of rows) {
    if (use !== 'forecast' || software === 'BigCode Megatron-LM') continue
    assert.ok(Math.abs(error!) < (software === 'aurora-m' ? 0.2 : 0.1), `${name}: ${error}`)
  }
  // The largest of all, on the row whose layout is least known.
  assert.ok(Math.abs(error('Aurora-M 15.5B, recomputation off')) < 0.1)
  assert.ok(error('Aurora-M 15.5B, recomputation on') > 0.3)
})

test('rows without a layout have no prediction, all others have one and a source', () => {
  for (const { name, use, predicted, source } of rows) {
    assert.is(predicted === undefined, use === 'no forecast', name)
    assert.match(source, /^(https:\/\/|bench\/results\/)/)
  }
})

test('predicted and published agree in their units: the error of the time follows from them', () => {
  for (const { published, predicted, error } of rows) {
    if (predicted === undefined) continue
    const ratio = published.unit === 'seconds a step' ? predicted / published.value : published.value / predicted
    assert.ok(Math.abs(ratio - 1 - error!) < 1e-12)
  }
})

test.run()
