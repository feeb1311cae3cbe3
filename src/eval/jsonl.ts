/** Reads the small JSONL files that evaluations are made of: code suites and red-team sets. */
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { fileError } from '../checkpoint/index.ts'
import { AuroraError } from '../errors.ts'

/** One line of a JSONL file, for messages that name it. */
export interface JsonLine {
  value: Record<string, unknown>
  /** `path:line`. */
  place: string
}

/** The objects of a .jsonl or .jsonl.gz file; empty lines are skipped. The whole file is held in memory. */
export async function readJsonLines(path: string): Promise<JsonLine[]> {
  let text: string
  try {
    const bytes = await readFile(path)
    text = (path.endsWith('.gz') ? await promisify(gunzip)(bytes) : bytes).toString('utf8')
  } catch (cause) {
    throw fileError('read', path, cause)
  }
  return text.split('\n').flatMap((line, i) => (line.trim() === '' ? [] : [parse(line, `${path}:${i + 1}`)]))
}

function parse(line: string, place: string): JsonLine {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw new AuroraError({ code: 'ERR_FORMAT', message: `${place} is not JSON`, found: (cause as Error).message, cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AuroraError({ code: 'ERR_FORMAT', message: `${place} is not a JSON object`, found: line.slice(0, 60) })
  }
  return { value: value as Record<string, unknown>, place }
}

/** A string field of a line; without a fallback it must be there. */
export function stringField({ value, place }: JsonLine, name: string, fallback?: string): string {
  const field = value[name] ?? fallback
  if (typeof field === 'string') return field
  throw new AuroraError({
    code: 'ERR_FORMAT',
    message: `${place}: bad "${name}"`,
    expected: 'a string',
    found: field === undefined ? 'nothing' : JSON.stringify(field).slice(0, 60),
  })
}

/** Fails when two lines name themselves alike: results are kept by name. */
export function expectDistinct(ids: readonly string[], path: string): void {
  const seen = new Set<string>()
  for (const id of ids) {
    if (seen.has(id)) {
      throw new AuroraError({ code: 'ERR_FORMAT', message: `${path}: two entries have one name`, found: JSON.stringify(id) })
    }
    seen.add(id)
  }
}
