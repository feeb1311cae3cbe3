/** Checkpoints as files: safetensors, folders of shards, and folders that are committed whole or not at all. */
export { atomicFile, atomicFolder, recoverFolder, syncPath, temporaryBeside, writeFileAtomic } from './atomic.ts'
export { type Block, blocksOfInterval, type CoverFault, coverFault, intersect, type Region } from './blocks.ts'
export { type ExportOptions, exportSharded } from './export.ts'
export { fileError, openFile, readExactly, writeFully } from './files.ts'
export { commitManifest, type IndexedBlock, type ShardIndex } from './manifest.ts'
export { refuseMegatron } from './megatron.ts'
export { isSharded, openCheckpoint, optimizerName } from './open.ts'
export { openPretrained, type ShardOptions, writeSharded } from './pretrained.ts'
export { SafetensorsReader, type TensorBytes, type TensorToWrite, writeSafetensors } from './safetensors.ts'
export type { SafetensorsDType, TensorInfo } from './safetensors-header.ts'
export { type HostBlock, snapshot, writeShard } from './shard.ts'
export { type Gather, type ShardedSave, saveSharded } from './sharded.ts'
export { ShardedReader } from './sharded-reader.ts'
export { type BlockSource, isOptimizerState, type TensorSource } from './source.ts'
export {
  abandonStep,
  beginStep,
  commitStep,
  finishStep,
  keepSteps,
  latestStep,
  listSteps,
  pendingStep,
  type StepFolder,
} from './steps.ts'
export { type VerifyOptions, verifyCheckpoint } from './verify.ts'
