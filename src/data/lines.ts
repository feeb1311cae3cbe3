/** Bytes of text files, plain or gzipped, in bounded memory. */
import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { fileError } from '../checkpoint/index.ts'
import { AuroraError } from '../errors.ts'

/** No line, and no file that is one document, may be longer: what has to be in memory at once. */
export const maxDocumentBytes = 64 * 1024 * 1024

/** The content of a file, gunzipped when its name ends in .gz. A gzip file that is cut short is an error. */
export async function* readChunks(path: string): AsyncGenerator<Buffer> {
  const file = createReadStream(path)
  try {
    if (!path.endsWith('.gz')) {
      yield* file as AsyncIterable<Buffer>
      return
    }
    const gunzip = createGunzip()
    file.on('error', error => gunzip.destroy(error))
    yield* file.pipe(gunzip) as AsyncIterable<Buffer>
  } catch (error) {
    throw fileError('read', path, error)
  } finally {
    file.destroy()
  }
}

/**
 * The lines of a file without their ends, numbered from 1. Only a line feed ends a line: JSON strings may hold all the other
 * characters that some readers take for one.
 */
export async function* readLines(path: string): AsyncGenerator<{ number: number; bytes: Buffer }> {
  let number = 0
  let parts: Buffer[] = []
  let length = 0
  const take = (part: Buffer) => {
    parts.push(part)
    length += part.length
    if (length > maxDocumentBytes) throw tooLong(`${path}:${number + 1}`)
  }
  const line = () => {
    const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
    parts = []
    length = 0
    return { number: ++number, bytes }
  }
  for await (const chunk of readChunks(path)) {
    let start = 0
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      take(chunk.subarray(start, end))
      yield line()
      start = end + 1
    }
    if (start < chunk.length) take(chunk.subarray(start))
  }
  if (length > 0) yield line()
}

/** The whole of a file that is one document. */
export async function readWhole(path: string): Promise<Buffer> {
  const parts: Buffer[] = []
  let length = 0
  for await (const chunk of readChunks(path)) {
    parts.push(chunk)
    length += chunk.length
    if (length > maxDocumentBytes) throw tooLong(path)
  }
  return Buffer.concat(parts)
}

function tooLong(where: string): AuroraError {
  return new AuroraError({
    code: 'ERR_TOO_LARGE',
    message: `${where}: document too long`,
    expected: `at most ${maxDocumentBytes} bytes`,
  })
}
