/** Reads the small JSONL files that evaluations are made of: code suites and red-team sets. */
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { fileError } from '../checkpoint/index.ts'
import { AuroraError } from '../errors.ts'

/** One JSON object of a file; its complaints name the file and the line. */
export class JsonLine {
  readonly value: Readonly<Record<string, unknown>>
  /** `path:line`. */
  readonly place: string

  constructor(text: string, place: string) {
    this.place = place
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (cause) {
      throw new AuroraError({ code: 'ERR_FORMAT', message: `${place} is not JSON`, found: (cause as Error).message, cause })
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new AuroraError({ code: 'ERR_FORMAT', message: `${place} is not a JSON object`, found: text.slice(0, 60) })
    }
    this.value = value as Record<string, unknown>
  }

  /** A string field; without a fallback it must be there. */
  string(name: string, fallback?: string): string {
    const field = this.value[name] ?? fallback
    return typeof field === 'string' ? field : this.refuse(name, 'a string')
  }

  /** Throws: the field is not what was expected. */
  refuse(name: string, expected: string): never {
    const found = JSON.stringify(this.value[name])?.slice(0, 60) ?? 'nothing'
    throw new AuroraError({ code: 'ERR_FORMAT', message: `${this.place}: bad "${name}"`, expected, found })
  }
}

/**
 * The entries of a .jsonl or .jsonl.gz file; empty lines are skipped, two entries of one name are refused. The file is held in
 * memory.
 * @param entryOf reads a line's entry; `index` counts the lines that are not empty
 */
export async function readJsonLines<T>(
  path: string,
  entryOf: (line: JsonLine, index: number) => T,
  nameOf: (entry: T) => string,
): Promise<T[]> {
  let text: string
  try {
    const bytes = await readFile(path)
    text = (path.endsWith('.gz') ? await promisify(gunzip)(bytes) : bytes).toString('utf8')
  } catch (cause) {
    throw fileError('read', path, cause)
  }
  const entries = text
    .split('\n')
    .flatMap((line, i) => (line.trim() === '' ? [] : [new JsonLine(line, `${path}:${i + 1}`)]))
    .map(entryOf)
  const names = new Set<string>()
  for (const name of entries.map(nameOf)) {
    if (names.has(name)) {
      throw new AuroraError({ code: 'ERR_FORMAT', message: `${path}: two entries have one name`, found: JSON.stringify(name) })
    }
    names.add(name)
  }
  return entries
}
