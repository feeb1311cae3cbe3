/** Texts from files: JSON lines, plain text, source trees. */
import { stat } from 'node:fs/promises'
import { isAbsolute, resolve } from 'node:path'
import { glob } from 'tinyglobby'
import { AuroraError } from '../errors.ts'
import { isInstruction, renderInstruction } from './instruction.ts'
import { readLines, readWhole } from './lines.ts'

export interface TextDocument {
  readonly text: string
  /** Where it comes from: `file` or `file:line`. */
  readonly origin: string
}

export interface ReadOptions {
  /** Field of a JSON line that holds the text. Default 'text'. Records of instruction and response are taken as well. */
  field?: string
  /** Glob patterns of files to leave out, besides node_modules and .git. */
  ignore?: readonly string[]
  /**
   * Drops texts in which more than this share of the characters are digits, punctuation or symbols: tables, dumps, markup
   * debris. Prose has about 0.05, source code 0.25. Default: keeps all.
   */
  maxSymbolShare?: number
  /** Drops texts for which it returns false. */
  filter?: (document: TextDocument) => boolean
  /** Gets every bad line or file, named `file:line`, which is then left out. Default: the first one is thrown. */
  onProblem?: (problem: AuroraError) => void
  /** Gets every document that a filter dropped. */
  onDropped?: (document: TextDocument) => void
}

/**
 * The documents of the files that `patterns` name: files, folders (with all in them) or globs. `.jsonl` and `.ndjson` files
 * hold one a line, any other file is one document; all may be gzipped (`.gz`). Files come in the order of the patterns, then
 * of their paths. Blank documents are left out. One document is in memory at a time.
 */
export async function* readDocuments(
  patterns: string | readonly string[],
  options: ReadOptions = {},
): AsyncGenerator<TextDocument> {
  const { onProblem, onDropped } = options
  for (const file of await findFiles(patterns, options.ignore)) {
    for await (const found of readFileDocuments(file, options.field ?? 'text')) {
      if (found instanceof AuroraError) {
        if (onProblem === undefined) throw found
        onProblem(found)
      } else if (found.text.trim() !== '') {
        if (keeps(found, options)) yield found
        else onDropped?.(found)
      }
    }
  }
}

/** Share of a text's characters that are neither letters (with their marks) nor white space. */
export function symbolShare(text: string): number {
  let characters = 0
  let symbols = 0
  for (const character of text) {
    characters++
    if (!/[\p{L}\p{M}\s]/u.test(character)) symbols++
  }
  return characters === 0 ? 0 : symbols / characters
}

/** The files that patterns name, each once. A pattern that names nothing is an error. */
export async function findFiles(patterns: string | readonly string[], ignore: readonly string[] = []): Promise<string[]> {
  const files = new Map<string, string>()
  const add = (file: string) => files.has(resolve(file)) || files.set(resolve(file), file)
  for (const pattern of typeof patterns === 'string' ? [patterns] : patterns) {
    const kind = await stat(pattern).catch(() => undefined)
    if (kind?.isFile()) {
      add(pattern)
      continue
    }
    const search = {
      absolute: isAbsolute(pattern),
      ignore: ['**/node_modules/**', '**/.git/**', ...ignore],
      onlyFiles: true,
      expandDirectories: false,
    }
    const found = kind?.isDirectory()
      ? (await glob('**', { ...search, absolute: false, cwd: pattern })).map(file => `${pattern.replace(/\/+$/, '')}/${file}`)
      : await glob(pattern, search)
    if (found.length === 0) {
      throw new AuroraError({
        code: 'ERR_FILE_NOT_FOUND',
        message: `no files at ${pattern}`,
        expected: 'a file, a folder with files or a glob pattern',
        hint: `paths start at ${process.cwd()}`,
      })
    }
    found.sort().forEach(add)
  }
  return [...files.values()]
}

function keeps(document: TextDocument, { maxSymbolShare, filter }: ReadOptions): boolean {
  if (maxSymbolShare !== undefined && symbolShare(document.text) > maxSymbolShare) return false
  return filter === undefined || filter(document)
}

/** Documents, and an error in the place of each that could not be read. */
async function* readFileDocuments(file: string, field: string): AsyncGenerator<TextDocument | AuroraError> {
  try {
    if (!/\.(jsonl|ndjson)(\.gz)?$/i.test(file)) {
      yield { text: decode(file, await readWhole(file)), origin: file }
      return
    }
    for await (const { number, bytes } of readLines(file)) {
      const origin = `${file}:${number}`
      try {
        const line = decode(origin, bytes)
        if (line.trim() !== '') yield { text: recordText(origin, line, field), origin }
      } catch (error) {
        yield error as AuroraError
      }
    }
  } catch (error) {
    if (!(error instanceof AuroraError)) throw error
    yield error
  }
}

function recordText(origin: string, line: string, field: string): string {
  let record: unknown
  try {
    record = JSON.parse(line)
  } catch (cause) {
    throw bad(origin, 'not JSON', undefined, (cause as Error).message)
  }
  const text = (record as Record<string, unknown> | null)?.[field]
  if (typeof text === 'string') return text
  if (isInstruction(record)) return renderInstruction(record)
  const keys = typeof record === 'object' && record !== null ? Object.keys(record).slice(0, 8).join(', ') : typeof record
  throw bad(origin, 'no text', `a string in "${field}", or instruction and response`, keys)
}

/** UTF-8 without a byte order mark; NUL bytes mean that the file is not text. */
function decode(origin: string, bytes: Uint8Array): string {
  if (bytes.includes(0)) throw bad(origin, 'not text', 'UTF-8', 'NUL bytes')
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw bad(origin, 'not text', 'UTF-8', 'invalid bytes')
  }
}

function bad(origin: string, problem: string, expected?: string, found?: string): AuroraError {
  return new AuroraError({ code: 'ERR_DATA', message: `${origin}: ${problem}`, expected, found })
}
