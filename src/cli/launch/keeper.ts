/**
 * A little process beside a launcher that outlives it: when the launcher is gone without having said farewell (killed, say), it ends
 * the process groups that were left. It reads "+pid", "-pid" and "end", a line each, from its standard input.
 */
import { type ChildProcess, spawn } from 'node:child_process'

/** Milliseconds from the first, friendly signal to the last one. */
const graceMs = 5000

const program = `
const groups = new Set()
let text = ''
process.on('SIGINT', () => {}).on('SIGTERM', () => {}).on('SIGHUP', () => {})
const signal = name => { for (const group of groups) try { process.kill(-group, name) } catch { groups.delete(group) } }
process.stdin.setEncoding('utf8').on('data', chunk => {
  const lines = (text + chunk).split('\\n')
  text = lines.pop()
  for (const line of lines) {
    if (line === 'end') process.exit(0)
    else if (line[0] === '+') groups.add(Number(line.slice(1)))
    else groups.delete(Number(line.slice(1)))
  }
}).on('end', () => {
  signal('SIGTERM')
  if (groups.size > 0) setTimeout(() => signal('SIGKILL'), ${graceMs})
})
`

export class Keeper {
  readonly #child: ChildProcess

  constructor() {
    this.#child = spawn(process.execPath, ['-e', program], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
    // Without it the job runs all the same.
    this.#child.on('error', () => {})
    this.#child.stdin!.on('error', () => {})
    this.#child.unref()
    ;(this.#child.stdin as unknown as { unref(): void }).unref()
  }

  add(group: number): void {
    this.#child.stdin!.write(`+${group}\n`)
  }

  remove(group: number): void {
    this.#child.stdin!.write(`-${group}\n`)
  }

  end(): void {
    this.#child.stdin!.end('end\n')
  }
}
