/** Work in a process of its own, whose memory is nobody else's. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

/** Runs bench/children/<file> with an argument; what it prints with `answer` is the result. */
export async function runChild<T>(file: string, argument: unknown, env: Record<string, string> = {}): Promise<T> {
  const path = join(import.meta.dirname, '..', 'children', file)
  const child = spawn(process.execPath, ['--import', 'tsx', path, JSON.stringify(argument)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const ended = new Promise<string>(resolve => child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`)))
  const output = await text(child.stdout)
  const end = await ended
  if (end !== 'exit code 0') throw new Error(`${file} ended with ${end}`)
  return JSON.parse(output) as T
}

/** In the child: what it was given. */
export function argument<T>(): T {
  return JSON.parse(process.argv[2]!) as T
}

/** In the child: its result. */
export function answer(result: unknown): void {
  process.stdout.write(JSON.stringify(result))
}

/** A line of /proc/self/status in bytes: VmRSS, what the process holds now, or VmHWM, the most that it ever held. */
export function processMemory(line: 'VmRSS' | 'VmHWM'): number {
  const found = new RegExp(`^${line}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))
  return Number(found![1]) * 1024
}
