import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { linear } from '../../src/ops/index.ts'
import { tensor } from '../../src/tensor/index.ts'
import { between, checkDerivative, dtypes, tolerances } from '../support/derivatives.ts'
import * as reference from '../support/reference.ts'

for (const dtype of dtypes) {
  for (const activation of ['none', 'gelu', 'geluTanh'] as const) {
    test(`linear with ${activation}, ${dtype}: output and gradients of x, weight and bias`, async () => {
      for (let round = 0; round < 3; round++) {
        const [rows, inputs, outputs] = [between(1, 9), between(1, 19), between(1, 17)]
        await checkDerivative({
          dtype,
          // The derivative is taken at the pre-activation, which bf16 has rounded.
          tolerance: tolerances[dtype] * (activation === 'none' ? 1 : 1.5),
          inputs: {
            x: { shape: [rows, inputs], kind: 'activation' },
            weight: { shape: [outputs, inputs], kind: 'parameter', scale: 0.5 },
            bias: { shape: [outputs], kind: 'parameter' },
          },
          run: ({ x, weight, bias }) => linear(x, weight, bias, activation),
          reference: ({ x, weight, bias }) => reference.linear(x, weight, bias, inputs, activation),
        })
      }
    })
  }

  test(`linear without bias, ${dtype}`, async () => {
    const [rows, inputs, outputs] = [between(1, 9), between(1, 19), between(1, 17)]
    await checkDerivative({
      dtype,
      tolerance: tolerances[dtype],
      inputs: { x: { shape: [rows, inputs], kind: 'activation' }, weight: { shape: [outputs, inputs], kind: 'parameter' } },
      run: ({ x, weight }) => linear(x, weight),
      reference: ({ x, weight }) => reference.linear(x, weight, undefined, inputs),
    })
  })
}

test('wrong shapes, ranks and foreign objects are refused', () => {
  const x = tensor([1, 2, 3, 4, 5, 6], [2, 3])
  const refused = (run: () => unknown, code: string) => assert.throws(run, (error: { code?: string }) => error.code === code)
  refused(() => linear(x, tensor([1, 2], [1, 2])), 'ERR_SHAPE')
  refused(() => linear(tensor([1, 2, 3]), x), 'ERR_SHAPE')
  refused(() => linear(x, tensor([1, 2, 3], [1, 3]), tensor([1, 2])), 'ERR_SHAPE')
  refused(() => linear(x, tensor([1, 2, 3], [1, 3], { dtype: 'bf16' })), 'ERR_DTYPE')
  refused(() => linear({} as never, x), 'ERR_INVALID_ARGUMENT')
  x.dispose()
  refused(() => linear(x, x), 'ERR_DISPOSED')
})

test.run()
