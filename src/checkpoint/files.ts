/** Reading files that may be wrong: every failure names the file, and a short file is an error rather than a crash. */
import { type FileHandle, open, stat } from 'node:fs/promises'
import { AuroraError } from '../errors.ts'

const fileErrors: Record<string, { code: string; problem: string }> = {
  ENOENT: { code: 'ERR_FILE_NOT_FOUND', problem: 'it does not exist' },
  ENOTDIR: { code: 'ERR_FILE_NOT_FOUND', problem: 'a part of its path is not a folder' },
  EACCES: { code: 'ERR_FILE_ACCESS', problem: 'permission is denied' },
  EPERM: { code: 'ERR_FILE_ACCESS', problem: 'permission is denied' },
  EISDIR: { code: 'ERR_FILE_KIND', problem: 'it is a folder' },
  ENOSPC: { code: 'ERR_DISK_FULL', problem: 'the disk is full' },
  EDQUOT: { code: 'ERR_DISK_FULL', problem: "the user's quota is used up" },
  EFBIG: { code: 'ERR_DISK_FULL', problem: 'the file would be larger than files may be here' },
}

/** An AuroraError for a failed file operation; errors that already are one pass unchanged. */
export function fileError(action: string, path: string, cause: unknown): AuroraError {
  if (cause instanceof AuroraError) return cause
  const { code = '', message = String(cause) } = cause as NodeJS.ErrnoException
  const known = fileErrors[code]
  return new AuroraError({
    code: known?.code ?? 'ERR_FILE',
    message: `cannot ${action} ${path}: ${known?.problem ?? message}`,
    cause,
  })
}

/** Opens a regular file for reading. Anything else (a folder, a pipe, a device) is refused before it is opened. */
export async function openFile(path: string): Promise<{ file: FileHandle; size: number }> {
  let file: FileHandle | undefined
  try {
    if (!(await stat(path)).isFile()) {
      throw new AuroraError({
        code: 'ERR_FILE_KIND',
        message: `cannot read ${path}`,
        expected: 'a regular file',
        found: 'another kind of file',
      })
    }
    file = await open(path, 'r')
    const { size } = await file.stat()
    return { file, size }
  } catch (error) {
    await file?.close()
    throw fileError('read', path, error)
  }
}

/** Fills `into` from `position` on; an end of file before that is an error, so a file that shrinks meanwhile is found out. */
export async function readExactly(file: FileHandle, path: string, into: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < into.byteLength) {
    let bytesRead: number
    try {
      ;({ bytesRead } = await file.read(into, done, into.byteLength - done, position + done))
    } catch (error) {
      throw fileError('read', path, error)
    }
    if (bytesRead === 0) {
      throw new AuroraError({
        code: 'ERR_FILE_TRUNCATED',
        message: `${path} ends too early`,
        expected: `${into.byteLength} bytes from byte ${position} on`,
        found: `${done}`,
      })
    }
    done += bytesRead
  }
}

/** Appends all of `bytes` (a single write may take only a part of them). */
export async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0
  while (done < bytes.byteLength) done += (await file.write(bytes, done, bytes.byteLength - done)).bytesWritten
}
