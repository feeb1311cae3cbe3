/** The StarCoder models by name, so that a plan needs no download. Sources: their config.json files at https://huggingface.co/bigcode. */
import { completeConfig, type GPTBigCodeConfig } from '../../models/index.ts'

const starcoder = (nLayer: number, nEmbd: number, activationFunction: string) =>
  completeConfig({ nLayer, nEmbd, nHead: nEmbd / 128, vocabSize: 49152, nPositions: 8192, activationFunction, eosTokenId: 0 })

export const knownModels: ReadonlyMap<string, GPTBigCodeConfig> = new Map([
  ['starcoderbase-15b', starcoder(40, 6144, 'gelu')],
  ['starcoderbase-7b', starcoder(42, 4096, 'gelu')],
  ['starcoderbase-3b', starcoder(36, 2816, 'gelu_pytorch_tanh')],
  ['starcoderbase-1b', starcoder(24, 2048, 'gelu_pytorch_tanh')],
])
