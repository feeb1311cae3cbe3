import { Embedding, LayerNorm, Linear, namedSpecs, type ParameterTree } from '../../nn/index.ts'
import { sizeOf } from '../../tensor/index.ts'
import { type GPTBigCodeConfig, innerWidth } from './config.ts'

/** Every parameter, with Hugging Face's names, in their order. The head is tied to transformer.wte and has none of its own. */
export function parameterTree(config: GPTBigCodeConfig): ParameterTree {
  const { nEmbd, nLayer, initializerRange } = config
  return {
    transformer: {
      wte: Embedding.table(config.vocabSize, nEmbd, initializerRange),
      wpe: Embedding.table(config.nPositions, nEmbd, initializerRange),
      h: Object.fromEntries(Array.from({ length: nLayer }, (_, layer) => [layer, blockParameters(config)])),
      ln_f: LayerNorm.parameters(nEmbd),
    },
  }
}

/** Elements of all parameters of such a model, without making it; the tied head counts once. */
export function parameterCount(config: GPTBigCodeConfig): number {
  let count = 0
  for (const [, { shape }] of namedSpecs(parameterTree(config))) count += sizeOf(shape)
  return count
}

function blockParameters(config: GPTBigCodeConfig): ParameterTree {
  const { nEmbd, nHead, nLayer, initializerRange: std } = config
  const keyValueWidth = config.multiQuery ? (2 * nEmbd) / nHead : 2 * nEmbd
  // Each layer adds two branches to the residual stream: smaller projections keep its variance independent of depth.
  const residualStd = std / Math.sqrt(2 * nLayer)
  return {
    ln_1: LayerNorm.parameters(nEmbd),
    attn: {
      c_attn: Linear.parameters(nEmbd, nEmbd + keyValueWidth, std),
      c_proj: Linear.parameters(nEmbd, nEmbd, residualStd),
    },
    ln_2: LayerNorm.parameters(nEmbd),
    mlp: {
      c_fc: Linear.parameters(nEmbd, innerWidth(config), std),
      c_proj: Linear.parameters(innerWidth(config), nEmbd, residualStd),
    },
  }
}

/** Weights of all matrix products of a forward pass: blocks and head, not the embedding look-ups, biases and norms. */
export function matrixWeights(config: GPTBigCodeConfig): number {
  let count = config.vocabSize * config.nEmbd
  for (const [, { shape }] of namedSpecs(blockParameters(config))) if (shape.length === 2) count += config.nLayer * sizeOf(shape)
  return count
}

/**
 * Model FLOPs to train on one token of sequences of `length`, forward and backward: 6·W + 6·L·D·(length + 1).
 * W counts the weights of all matrix products (blocks and head; embedding look-ups are none); a weight costs 2 forward and 4
 * backward. Attention costs 4·D forward for each row attended to, of which causality leaves (length + 1)/2 on average, and
 * twice that backward. Recomputation is not counted.
 */
export function trainingFlopsPerToken(config: GPTBigCodeConfig, length: number): number {
  return 6 * matrixWeights(config) + 6 * config.nLayer * config.nEmbd * (length + 1)
}
