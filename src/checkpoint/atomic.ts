/**
 * Files and folders that either are there whole or not at all: written beside their place under a temporary name, flushed to
 * the disk, then renamed. A process killed at any moment leaves the old state or the new one, and at worst leftovers that
 * `recoverFolder` clears at the next start.
 */
import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileError } from './files.ts'

/** What marks leftovers: `<name>.tmp-<12 hex digits>` is not finished yet, `<name>.old-<12 hex digits>` is being replaced. */
const leftoverName = /^(.+)\.(tmp|old)-[0-9a-f]{12}$/

/** A name beside `path` that no other writer uses. */
export function temporaryBeside(path: string, kind: 'tmp' | 'old' = 'tmp'): string {
  return `${path}.${kind}-${randomBytes(6).toString('hex')}`
}

/** Flushes a file's bytes, or a folder's entries, to the disk. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } catch (error) {
    // Some systems have no flush for folders; there the rename itself is all that can be had.
    if (!['EINVAL', 'EPERM', 'EISDIR', 'EBADF', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  } finally {
    await handle.close()
  }
}

export interface AtomicFileOptions {
  /** Make the folder, too, when it is not there (default). Not for folders that another process makes and may have removed. */
  createFolder?: boolean
}

/**
 * Writes the file `path` through `write`, which gets an empty file open for writing. When `write` fails, what was at `path`
 * before is still there and nothing else is left.
 */
export async function atomicFile(
  path: string,
  write: (file: FileHandle) => Promise<void>,
  { createFolder = true }: AtomicFileOptions = {},
): Promise<void> {
  const temporary = temporaryBeside(path)
  try {
    if (createFolder) await mkdir(dirname(path), { recursive: true })
    const file = await open(temporary, 'wx')
    try {
      await write(file)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncPath(dirname(path))
  } catch (error) {
    await rm(temporary, { force: true })
    throw fileError('write', path, error)
  }
}

/** Writes text or bytes as the whole content of `path`, atomically. */
export async function writeFileAtomic(path: string, content: string | Uint8Array): Promise<void> {
  await atomicFile(path, file => file.writeFile(content))
}

/**
 * Fills the folder `path` through `write`, which gets an empty folder to write into, and gives it its name only when every
 * file in it is on the disk. A folder already at `path` is replaced; there the name is free for a moment between two
 * renames, and `recoverFolder` puts the old folder back if the process dies in it.
 */
export async function atomicFolder(path: string, write: (folder: string) => Promise<void>): Promise<void> {
  const temporary = temporaryBeside(path)
  try {
    await mkdir(temporary, { recursive: true })
    await write(temporary)
    await giveName(temporary, path)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    throw fileError('write', path, error)
  }
}

/** Gives the folder `temporary`, which is beside `path`, the name `path` once all of it is on the disk; what has the name is replaced. */
export async function giveName(temporary: string, path: string): Promise<void> {
  await syncTree(temporary)
  await replaceFolder(temporary, path)
  await syncPath(dirname(path))
}

async function replaceFolder(from: string, to: string): Promise<void> {
  const old = temporaryBeside(to, 'old')
  const replaces = await rename(to, old).then(
    () => true,
    () => false,
  )
  try {
    await rename(from, to)
  } catch (error) {
    if (replaces) await rename(old, to)
    throw error
  }
  if (replaces) await rm(old, { recursive: true, force: true })
}

async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    await (entry.isDirectory() ? syncTree(path) : syncPath(path))
  }
  await syncPath(folder)
}

/**
 * Clears what killed writers left directly in `folder`: unfinished files and folders are removed, a folder that was being
 * replaced gets its name back if its successor has not taken it. Returns the names dealt with. Call it when no writer is at work.
 */
export async function recoverFolder(folder: string): Promise<string[]> {
  const present = await readdir(folder).catch(error => {
    if (error.code === 'ENOENT') return []
    throw fileError('read', folder, error)
  })
  const entries = new Set(present)
  const leftovers = [...entries].filter(entry => leftoverName.test(entry))
  for (const entry of leftovers) {
    const [, name, kind] = leftoverName.exec(entry)!
    if (kind === 'old' && !entries.has(name!)) {
      await rename(join(folder, entry), join(folder, name!))
      entries.add(name!)
    } else await rm(join(folder, entry), { recursive: true, force: true })
  }
  return leftovers
}
