/** What several readers of foreign JSON need: files come from anywhere, and nothing in them is believed. */
import { readFile, stat } from 'node:fs/promises'
import type { AuroraError } from '../errors.ts'
import { fileError } from './files.ts'

/** Makes the error of a reader. */
export type Refuse = (message: string, expected?: string, found?: string) => AuroraError

/** The content of a JSON file of at most `maxBytes`, in which no object holds a key twice. */
export async function readJson(path: string, maxBytes: number, refuse: Refuse): Promise<unknown> {
  let text: string
  try {
    const { size } = await stat(path)
    if (size > maxBytes) throw refuse('too large', `at most ${maxBytes} bytes`, `${size}`)
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw fileError('read', path, error)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw refuse('not JSON', undefined, (cause as Error).message)
  }
  const repeated = duplicateKey(text)
  if (repeated !== undefined) throw refuse(`"${shorten(repeated)}" occurs twice`)
  return value
}

/** The first key that one object of a valid JSON text holds twice: JSON.parse would silently keep the last. */
export function duplicateKey(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = []
  for (let i = 0; i < json.length; i++) {
    const character = json[i]
    if (character === '{') open.push(new Set())
    else if (character === '[') open.push(undefined)
    else if (character === '}' || character === ']') open.pop()
    else if (character === '"') {
      const end = stringEnd(json, i)
      let next = end
      while (json[next] === ' ' || json[next] === '\n' || json[next] === '\r' || json[next] === '\t') next++
      if (json[next] === ':') {
        const key = JSON.parse(json.slice(i, end)) as string
        const keys = open.at(-1)
        if (keys?.has(key)) return key
        keys?.add(key)
      }
      i = end - 1
    }
  }
  return undefined
}

/** Where the string that begins at `start` is over: behind the first quote that an even number of backslashes precedes. */
function stringEnd(json: string, start: number): number {
  for (let quote = json.indexOf('"', start + 1); ; quote = json.indexOf('"', quote + 1)) {
    let backslashes = 0
    while (json[quote - 1 - backslashes] === '\\') backslashes++
    if (backslashes % 2 === 0) return quote + 1
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A length or an index. */
export function isLength(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

export function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(isLength)
}

/** Foreign text in a message: at most 80 characters. */
export function shorten(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 77)}…`
}
