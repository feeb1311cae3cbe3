/** Models that questions are asked about, and what these are trained on. */
import { GlobalBatch } from '../../src/data/index.ts'
import type { GPTBigCodeConfig } from '../../src/models/index.ts'

export interface Shape {
  name: string
  config: Partial<GPTBigCodeConfig> & Pick<GPTBigCodeConfig, 'nLayer' | 'nEmbd' | 'nHead' | 'vocabSize'>
}

/** All multi-query. */
export const shapes = {
  tiny: { name: 'tiny', config: { nLayer: 2, nEmbd: 64, nHead: 4, vocabSize: 500 } },
  small: { name: 'small', config: { nLayer: 4, nEmbd: 256, nHead: 4, vocabSize: 8192 } },
  '110M': { name: '110M', config: { nLayer: 12, nEmbd: 768, nHead: 12, vocabSize: 49152 } },
  /** StarCoderBase-1B's. */
  '1B': { name: '1B', config: { nLayer: 24, nEmbd: 2048, nHead: 16, vocabSize: 49152, nPositions: 8192 } },
} as const satisfies Record<string, Shape>

/** Sequences of tokens that a simple generator makes: what they are does not matter for speed. */
export function randomBatch(vocabulary: number, length: number, sequences: number, step = 0): GlobalBatch {
  let state = 1
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state % vocabulary
  }
  const positions = Int32Array.from({ length }, (_, t) => t)
  const sequence = () => ({
    domain: 0,
    tokens: Int32Array.from({ length }, next),
    targets: Int32Array.from({ length }, next),
    positions,
    firstRow: new Int32Array(length),
  })
  return new GlobalBatch({ step, stage: 'bench', domains: ['all'], sequences: Array.from({ length: sequences }, sequence) })
}
