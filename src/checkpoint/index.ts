/** Checkpoints as files: safetensors, folders of shards, and folders that are committed whole or not at all. */
export { atomicFile, atomicFolder, recoverFolder, syncPath, temporaryBeside, writeFileAtomic } from './atomic.ts'
export { fileError, openFile, readExactly, writeFully } from './files.ts'
export { openPretrained, type ShardOptions, type TensorSource, writeSharded } from './pretrained.ts'
export { SafetensorsReader, type TensorToWrite, writeSafetensors } from './safetensors.ts'
export type { SafetensorsDType, TensorInfo } from './safetensors-header.ts'
export { commitStep, keepSteps, latestStep, listSteps, type StepFolder } from './steps.ts'
