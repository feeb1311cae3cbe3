import { test } from 'uvu'
import { concatColumns, layerNorm } from '../../src/ops/index.ts'
import { between, checkDerivative, dtypes, tolerances } from '../support/derivatives.ts'
import * as reference from '../support/reference.ts'

for (const dtype of dtypes) {
  test(`layerNorm with a residual, ${dtype}: h, y and all gradients, of both outputs`, async () => {
    for (let round = 0; round < 3; round++) {
      const [rows, width] = [between(1, 9), between(3, 37)]
      await checkDerivative({
        dtype,
        tolerance: tolerances[dtype] * 2,
        inputs: {
          x: { shape: [rows, width], kind: 'activation' },
          residual: { shape: [rows, width], kind: 'activation', shift: 0.5 },
          gamma: { shape: [width], kind: 'parameter', shift: 1 },
          beta: { shape: [width], kind: 'parameter' },
        },
        run: ({ x, residual, gamma, beta }) => concatColumns(layerNorm(x, gamma, beta, { epsilon: 1e-3, residual })),
        reference: ({ x, residual, gamma, beta }) => {
          const h = x.map((value, i) => value + residual[i]!)
          const y = reference.layerNorm(h, gamma, beta, width, 1e-3)
          return Float64Array.from({ length: 2 * h.length }, (_, i) => {
            const [row, column] = [Math.floor(i / (2 * width)), i % (2 * width)]
            return column < width ? h[row * width + column]! : y[row * width + column - width]!
          })
        },
      })
    }
  })

  test(`layerNorm alone, ${dtype}`, async () => {
    const [rows, width] = [between(1, 9), between(3, 37)]
    await checkDerivative({
      dtype,
      tolerance: tolerances[dtype] * 2,
      inputs: {
        x: { shape: [rows, width], kind: 'activation' },
        gamma: { shape: [width], kind: 'parameter', shift: 1 },
        beta: { shape: [width], kind: 'parameter' },
      },
      run: ({ x, gamma, beta }) => layerNorm(x, gamma, beta)[1],
      reference: ({ x, gamma, beta }) => reference.layerNorm(x, gamma, beta, width, 1e-5),
    })
  })
}

test.run()
