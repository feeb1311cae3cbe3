/** Shares of peaks and bandwidths that real software reached: all fitted constants of the planner, and nothing else. */
import type { MachineShares } from './machines.ts'

export type Software = 'Megatron-DeepSpeed' | 'BigCode Megatron-LM' | 'aurora-m' | 'Megatron-DeepSpeed on Frontier'

/**
 * Four constants, fitted to four rows of published.ts and measured.ts (`fitShares` finds them anew). On MI250X: Megatron-DeepSpeed's
 * gemm and link share together to two rows; BigCode's fork has a gemm share of its own, fitted to one row, and the same link share.
 * On the CPU: this package's gemm share, to one row. All other shares are assumptions.
 */
export const fittedShares = {
  'Megatron-DeepSpeed': { gemm: 0.508, link: 0.667 },
  'BigCode Megatron-LM': { gemm: 0.29, link: 0.667 },
  'aurora-m': { gemm: 0.739 },
} as const satisfies Partial<Record<Software, Partial<MachineShares>>>
