/** What vendors state of their GPUs: dense peaks without sparsity. */
import type { DeviceInfo } from '../../src/native.ts'

export interface Stated {
  gpu: string
  /** FLOP per second of matrix products. */
  bf16: number
  f32: number
  /** Bytes per second of its memory. */
  bandwidth: number
}

interface Entry extends Stated {
  matches: (product: string, info: Required<DeviceInfo>['gpu'], architecture: string) => boolean
}

const tera = 1e12
const entries: readonly Entry[] = [
  // A package of MI250X and MI250 is two devices, its two GCDs; each is told from the other by its compute units, as some drivers do not name them.
  {
    gpu: 'AMD Instinct MI250X, one GCD',
    matches: (_, { computeUnits }, architecture) => architecture.startsWith('gfx90a') && computeUnits >= 110,
    bf16: 191.5 * tera,
    f32: 47.9 * tera,
    bandwidth: 1.638 * tera,
  },
  {
    gpu: 'AMD Instinct MI210, or one GCD of MI250',
    matches: (_, __, architecture) => architecture.startsWith('gfx90a'),
    bf16: 181 * tera,
    f32: 45.3 * tera,
    bandwidth: 1.638 * tera,
  },
  {
    gpu: 'NVIDIA H200',
    matches: product => product.includes('H200'),
    bf16: 989.4 * tera,
    f32: 66.9 * tera,
    bandwidth: 4.8 * tera,
  },
  {
    gpu: 'NVIDIA H100 PCIe',
    matches: product => product.includes('H100 PCIe'),
    bf16: 756 * tera,
    f32: 51 * tera,
    bandwidth: 2.04 * tera,
  },
  {
    gpu: 'NVIDIA H100 SXM',
    matches: product => product.includes('H100'),
    bf16: 989.4 * tera,
    f32: 66.9 * tera,
    bandwidth: 3.35 * tera,
  },
  {
    gpu: 'NVIDIA A100 40GB',
    matches: (product, { memoryBytes }) => product.includes('A100') && memoryBytes < 60e9,
    bf16: 312 * tera,
    f32: 19.5 * tera,
    bandwidth: 1.555 * tera,
  },
  {
    gpu: 'NVIDIA A100 80GB',
    matches: product => product.includes('A100'),
    bf16: 312 * tera,
    f32: 19.5 * tera,
    bandwidth: 2.04 * tera,
  },
]

/** Undefined for GPUs that are not listed. */
export function statedPeaks({ gpu, instructionSet }: DeviceInfo): Stated | undefined {
  const entry = gpu && entries.find(({ matches }) => matches(gpu.product, gpu, instructionSet))
  return entry && { gpu: entry.gpu, bf16: entry.bf16, f32: entry.f32, bandwidth: entry.bandwidth }
}
