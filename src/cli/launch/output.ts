/** What the ranks print, line by line with the rank before it, and rank 0's progress as one bar below. */

import type { Readable } from 'node:stream'
import colours from 'picocolors'
import { Progress } from '../terminal.ts'

const paints = [colours.cyan, colours.yellow, colours.green, colours.magenta, colours.blue, colours.red]
/** A line without an end is cut there. */
const longest = 64 << 10

export class JobOutput {
  readonly #progress: Progress
  readonly #digits: number
  #bar = ''

  constructor(size: number, progress = new Progress()) {
    this.#progress = progress
    this.#digits = String(size - 1).length
  }

  /** Copies what a rank writes to `source`. */
  follow(rank: number, source: Readable, target: NodeJS.WriteStream): void {
    const prefix = paints[rank % paints.length]!(`[${String(rank).padStart(this.#digits)}]`)
    let rest = ''
    const print = (line: string) => {
      if (line.startsWith('\r')) {
        this.#draw(line.slice(1))
        return
      }
      const words = line.endsWith('\r') ? line.slice(0, -1) : line
      this.#line(`${prefix} ${words.slice(words.lastIndexOf('\r') + 1)}`, target)
    }
    source.setEncoding('utf8')
    source.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop()!
      for (const line of lines) print(line)
      if (rest.length < longest) return
      print(rest)
      rest = ''
    })
    source.on('end', () => {
      if (rest) print(rest)
    })
    // A pipe that breaks has ended.
    source.on('error', () => {})
  }

  /** A line of the launcher itself. */
  say(text: string): void {
    this.#line(text, process.stderr)
  }

  close(): void {
    this.#draw('')
  }

  #draw(bar: string): void {
    this.#bar = bar
    if (bar) this.#progress.show(bar)
    else this.#progress.clear()
  }

  #line(text: string, target: NodeJS.WriteStream): void {
    this.#progress.clear()
    target.write(`${text}\n`)
    if (this.#bar) this.#progress.show(this.#bar)
  }
}
