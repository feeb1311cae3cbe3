/** Predictions beside published runs: what is fitted is said to be, and forecasts are as far off as the documentation says. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { calibrationTable, findMachine, fitShares, fittedShares, publishedRuns } from '../../src/parallel/index.ts'

const rows = calibrationTable(await findMachine('mi250x-lumi'))

test('the shares in use are those that the rows marked as fits give', async () => {
  const fitted = fitShares(await findMachine('mi250x-lumi'))
  for (const [software, shares] of Object.entries(fitted)) {
    const used = fittedShares[software as keyof typeof fittedShares]!
    assert.ok(Math.abs(used.gemm / shares.gemm - 1) < 0.005, `${software} gemm: fitted ${shares.gemm}, used ${used.gemm}`)
    assert.ok(Math.abs(used.link / shares.link - 1) < 0.005, `${software} link: fitted ${shares.link}, used ${used.link}`)
  }
})

test('three rows are fits, as many as constants, and they are right; the others were not used', () => {
  const fits = rows.filter(({ use }) => use === 'fit')
  assert.is(fits.length, 3)
  for (const { name, error } of fits) assert.ok(Math.abs(error!) < 0.01, `${name} ${error}`)
  assert.is(publishedRuns.filter(({ run, use }) => run && use !== 'fit').length, 8)
})

test('forecasts are off by no more than the page on planning says', () => {
  const error = (name: string) => rows.find(row => row.name === name)!.error!
  for (const { name, use, software, error } of rows) {
    if (use !== 'forecast' || software !== 'Megatron-DeepSpeed') continue
    assert.ok(Math.abs(error!) < 0.1, `${name}: ${error}`)
  }
  // The largest of all, on the row whose layout is least known.
  assert.ok(Math.abs(error('Aurora-M 15.5B, recomputation off')) < 0.1)
  assert.ok(error('Aurora-M 15.5B, recomputation on') > 0.3)
})

test('rows without a layout have no prediction, all others have one and a source', () => {
  for (const { name, use, predicted, source } of rows) {
    assert.is(predicted === undefined, use === 'no forecast', name)
    assert.match(source, /^https:\/\//)
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
