export { Block, type Pass, runBlocks } from './block.ts'
export {
  completeConfig,
  configFromHuggingFace,
  configToHuggingFace,
  defaultConfig,
  type GPTBigCodeConfig,
  innerWidth,
} from './config.ts'
export { Decoder, type DecoderOptions } from './decoder.ts'
export { Dropout } from './dropout.ts'
export { type TrainingBytes, type TrainingShape, trainingBytes } from './memory.ts'
export { GPTBigCode, type GPTBigCodeOptions } from './model.ts'
export { matrixWeights, parameterCount, trainingFlopsPerToken } from './parameters.ts'
export { type StageSpan, stageParameters, tensorSplit, tokenTable } from './plan.ts'
export {
  expectTiedHead,
  headName,
  type PretrainedOptions,
  pretrainedConfig,
  type SaveOptions,
  storedNames,
} from './pretrained.ts'
export { checkRows, rowsOf, type TokenRows, type TrainingRows } from './rows.ts'
