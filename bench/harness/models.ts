import type { GPTBigCodeConfig } from '../../src/models/index.ts'

export interface Shape {
  name: string
  config: Partial<GPTBigCodeConfig> & Pick<GPTBigCodeConfig, 'nLayer' | 'nEmbd' | 'nHead' | 'vocabSize'>
}

/** The models that questions are asked about; all multi-query. */
export const shapes = {
  tiny: { name: 'tiny', config: { nLayer: 2, nEmbd: 64, nHead: 4, vocabSize: 500 } },
  small: { name: 'small', config: { nLayer: 4, nEmbd: 256, nHead: 4, vocabSize: 8192 } },
  '110M': { name: '110M', config: { nLayer: 12, nEmbd: 768, nHead: 12, vocabSize: 49152 } },
  /** StarCoderBase-1B's. */
  '1B': { name: '1B', config: { nLayer: 24, nEmbd: 2048, nHead: 16, vocabSize: 49152, nPositions: 8192 } },
} as const satisfies Record<string, Shape>
