/** Holds an operation, forward and backward, against its float64 reference. */
import * as assert from 'uvu/assert'
import { Tape } from '../../src/autograd/index.ts'
import { Purpose, RandomStream, randomWords } from '../../src/random/index.ts'
import { scope, type Tensor, tensor, zeros } from '../../src/tensor/index.ts'
import { dot, numericGradient, relativeError, type Values } from './reference.ts'
import './device.ts'

/** A fresh seed for every run, printed so that a failure can be repeated with AURORA_TEST_SEED. */
export const seed = Number(process.env.AURORA_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31))
console.log(`AURORA_TEST_SEED=${seed}`)

export const random = new RandomStream(randomWords(seed, Purpose.test))

/** A size from `low` to `high`, as odd as it falls. */
export function between(low: number, high: number): number {
  return low + random.below(high - low + 1)
}

/** Values about normally distributed. */
export function noise(count: number, scale = 1): Float32Array {
  return Float32Array.from(
    { length: count },
    () => scale * (random.uniform() + random.uniform() + random.uniform() + random.uniform() - 2) * 1.7,
  )
}

/** Documents of random lengths over `rows` rows: the first row of each row's document. */
export function documentStarts(rows: number): Int32Array {
  const firstRow = new Int32Array(rows)
  for (let start = 0; start < rows; ) {
    const end = Math.min(rows, start + between(1, Math.max(1, Math.ceil(rows / 2))))
    firstRow.fill(start, start, end)
    start = end
  }
  return firstRow
}

export interface Input {
  shape: readonly number[]
  /** parameter: its gradient is a main gradient, in f32. constant: no derivative. */
  kind: 'activation' | 'parameter'
  scale?: number
  shift?: number
}

export interface DerivativeCheck<K extends string> {
  inputs: Record<K, Input>
  /** The operation. */
  run: (inputs: Record<K, Tensor>) => Tensor
  /** Its reference, on values as the tensors hold them. */
  reference: (inputs: Record<K, Values>) => Values
  dtype: 'f32' | 'bf16'
  /** Largest relative error of the output and of each gradient. */
  tolerance: number
  /** The backward pass starts from ones, as a loss does. */
  unit?: boolean
}

/** Runs both on random inputs and compares the output and every gradient; returns the errors. */
export function checkDerivative<K extends string>(check: DerivativeCheck<K>): Promise<Record<string, number>> {
  return scope(async () => {
    const { dtype } = check
    const tensors = {} as Record<K, Tensor>
    const values = {} as Record<K, Values>
    const tape = new Tape()
    for (const [name, input] of Object.entries(check.inputs) as [K, Input][]) {
      const size = input.shape.reduce((product, n) => product * n, 1)
      const drawn = noise(size, input.scale ?? 1).map(value => value + (input.shift ?? 0))
      tensors[name] = tensor(drawn, input.shape, { dtype })
      values[name] = Float64Array.from(await tensors[name].read())
      if (input.kind === 'parameter') tensors[name].gradient = zeros(input.shape)
      else tape.watch(tensors[name])
    }
    const y = tape.run(() => check.run(tensors))
    const expected = check.reference(values)
    const errors: Record<string, number> = { output: relativeError(await y.read(), expected) }
    const upstream = check.unit ? undefined : tensor(noise(expected.length), y.shape, { dtype: y.dtype })
    const upstreamValues = upstream ? await upstream.read() : new Float64Array(expected.length).fill(1)
    tape.backward(y, upstream)
    for (const name of Object.keys(check.inputs) as K[]) {
      const gradient = tensors[name].gradient ?? tape.gradient(tensors[name])
      assert.ok(gradient, `${name} has a gradient`)
      const numeric = numericGradient(values[name], () => dot(check.reference(values), upstreamValues))
      errors[`d ${name}`] = relativeError(await gradient!.read(), numeric)
    }
    tape.dispose()
    for (const [what, error] of Object.entries(errors)) {
      const shapes = JSON.stringify(
        Object.fromEntries(Object.entries<Input>(check.inputs).map(([name, input]) => [name, input.shape])),
      )
      assert.ok(
        error <= check.tolerance,
        `${what}: relative error ${error} > ${check.tolerance} in ${dtype}, shapes ${shapes}, seed ${seed}`,
      )
    }
    return errors
  })
}

/** What f32 and bf16 are held to: bf16 has 8 bits of mantissa, so that one rounding errs by up to 2^-9 ≈ 0.002. */
export const tolerances = { f32: 3e-6, bf16: 1e-2 } as const
export const dtypes = ['f32', 'bf16'] as const
