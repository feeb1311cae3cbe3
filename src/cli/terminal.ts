/** What the command shows: a progress line on a terminal, plain lines in a pipe, tables, times and sizes for people. */
import Table from 'cli-table3'
import colours from 'picocolors'

/** Progress of long work. On a terminal one line is rewritten at most ten times a second; elsewhere a line is printed every `quiet` seconds. */
export class Progress {
  readonly #stream: NodeJS.WriteStream
  readonly #quiet: number
  #shown = 0
  #width = 0

  constructor(stream: NodeJS.WriteStream = process.stderr, quiet = 10) {
    this.#stream = stream
    this.#quiet = quiet
  }

  /** `share` in [0, 1], or undefined when the end is not known. */
  update(label: string, share: number | undefined, detail = ''): void {
    const now = performance.now()
    const pause = this.#stream.isTTY ? 100 : this.#quiet * 1000
    if (this.#shown > 0 && now - this.#shown < pause) return
    this.#shown = now
    const percent = share === undefined ? '' : `${String(Math.floor(100 * Math.min(1, share))).padStart(3)} % `
    if (!this.#stream.isTTY) {
      this.#stream.write(`${label} ${percent}${detail}\n`)
      return
    }
    const bar = share === undefined ? '' : `${drawBar(share, 24)} `
    const line = `${label} ${bar}${percent}${detail}`.slice(0, (this.#stream.columns ?? 100) - 1)
    this.#stream.write(`\r${line.padEnd(this.#width)}`)
    this.#width = line.length
  }

  /** Prints a line above the progress line. */
  line(text: string): void {
    this.clear()
    this.#stream.write(`${text}\n`)
  }

  clear(): void {
    if (this.#stream.isTTY && this.#width > 0) this.#stream.write(`\r${' '.repeat(this.#width)}\r`)
    this.#width = 0
    this.#shown = 0
  }
}

/** Eighths of a block, so that the bar moves smoothly. */
function drawBar(share: number, cells: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * cells * 8)
  const full = '█'.repeat(eighths >> 3)
  const part = eighths % 8 === 0 ? '' : '▏▎▍▌▋▊▉'[(eighths % 8) - 1]
  return (full + part).padEnd(cells, '·')
}

/** The first `left` columns are aligned left, as names are; the others right, as numbers are. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[], left = 1): string {
  const out = new Table({
    head: head.map(cell => colours.bold(cell)),
    style: { head: [], border: [], compact: true },
    colAligns: head.map((_, i) => (i < left ? 'left' : 'right')),
    chars: {
      top: '',
      'top-mid': '',
      'top-left': '',
      'top-right': '',
      bottom: '',
      'bottom-mid': '',
      'bottom-left': '',
      'bottom-right': '',
      left: '',
      'left-mid': '',
      mid: '',
      'mid-mid': '',
      right: '',
      'right-mid': '',
      middle: '  ',
    },
  })
  out.push(...rows.map(row => [...row]))
  return out.toString()
}

export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  let value = count
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${value.toFixed(unit === 0 || value >= 100 ? 0 : 1)} ${units[unit]}`
}

/** 1234567 → "1.23 M". */
export function count(value: number): string {
  const units = ['', ' k', ' M', ' G', ' T', ' P']
  let unit = 0
  let rest = value
  while (rest >= 1000 && unit < units.length - 1) {
    rest /= 1000
    unit++
  }
  return `${unit === 0 ? rest : rest.toPrecision(3)}${units[unit]}`
}

/** 3725 → "1 h 02 min"; 65 → "1 min 05 s". */
export function duration(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} min`
}
