/** Reading a whole checkpoint once, to know that it is what was written. */
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { AuroraError } from '../errors.ts'
import { readManifest } from './manifest.ts'
import { hexadecimal } from './shard.ts'
import { openShard } from './sharded-reader.ts'

export interface VerifyOptions {
  /** After each block. */
  onProgress?(progress: { bytes: number; totalBytes: number }): void
  /** Ends the reading; the promise rejects with the signal's reason. */
  signal?: AbortSignal
}

/**
 * Reads every byte of a sharded checkpoint and compares it with the checksums of the manifest. (Opening one only compares lengths and
 * headers. Checksums find accidents; somebody who changes a file on purpose can change the manifest, too.)
 *
 * @returns files and bytes of tensors read
 * @throws AuroraError ERR_CHECKPOINT_CORRUPT, which names file and block, and all that opening throws
 */
export async function verifyCheckpoint(folder: string, options: VerifyOptions = {}): Promise<{ files: number; bytes: number }> {
  const { shards } = await readManifest(folder)
  const totalBytes = shards.reduce((sum, { blocks }) => blocks.reduce((part, block) => part + block.bytes, sum), 0)
  let bytes = 0
  for (const shard of shards) {
    const reader = await openShard(folder, shard)
    try {
      for (const block of shard.blocks) {
        let crc = 0
        for await (const chunk of reader.chunks(block.key)) {
          options.signal?.throwIfAborted()
          crc = crc32(chunk.bytes, crc)
        }
        if (hexadecimal(crc) !== block.crc32) {
          throw new AuroraError({
            code: 'ERR_CHECKPOINT_CORRUPT',
            message: `${join(folder, shard.file)}: the bytes of "${block.key}" are not those that were written`,
            expected: `CRC-32 ${block.crc32}`,
            found: hexadecimal(crc),
            hint: 'copy the file again, or go back to an earlier checkpoint',
          })
        }
        bytes += block.bytes
        options.onProgress?.({ bytes, totalBytes })
      }
    } finally {
      await reader.close()
    }
  }
  return { files: shards.length, bytes }
}
