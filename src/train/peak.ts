/** The matrix-multiplication speed this device reaches, to hold a run's speed against. */
import { linear } from '../ops/index.ts'
import { type Device, type DType, device as deviceOf, full, scope } from '../tensor/index.ts'

/**
 * Peak FLOP per second, measured in well under a second: the best of a few products of matrices that fit the caches.
 * A share of it says how near training comes to what the same kernels reach when nothing else is in their way.
 */
export async function measurePeak(
  device: Device | string = 'cpu',
  dtype: Extract<DType, 'f32' | 'bf16'> = 'f32',
): Promise<number> {
  const [rows, width, repeats] = [512, 1024, 6]
  const target = deviceOf(device)
  return scope(async () => {
    const options = { dtype, device: target }
    const x = full([rows, width], 0.5, options)
    const weight = full([width, width], 0.5, options)
    let best = 0
    for (let i = 0; i < repeats; i++) {
      await target.synchronize()
      const started = performance.now()
      const y = linear(x, weight)
      await target.synchronize()
      best = Math.max(best, (2 * rows * width * width) / ((performance.now() - started) / 1000))
      y.dispose()
    }
    return best
  })
}
