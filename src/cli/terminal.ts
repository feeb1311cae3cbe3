/** What the command shows: a progress line on a terminal, plain lines in a pipe, tables, times and sizes for people. */
import Table from 'cli-table3'
import colours from 'picocolors'

/**
 * How progress is shown. 'bar': one line of a terminal is rewritten; 'lines': a line every now and then; 'relay': each state as a line
 * that begins with a carriage return, for `aurora launch` to draw; 'none': not at all, as another rank of the job shows the same.
 */
export type ProgressMode = 'bar' | 'lines' | 'relay' | 'none'

/** AURORA_PROGRESS, which `aurora launch` sets, decides for others. */
function progressMode(stream: NodeJS.WriteStream): ProgressMode {
  const asked = process.env.AURORA_PROGRESS
  if (asked === 'lines' || asked === 'relay' || asked === 'none') return asked
  return stream.isTTY ? 'bar' : 'lines'
}

/** Progress of long work: at most ten times a second as a bar, every `quiet` seconds as a line. */
export class Progress {
  readonly #stream: NodeJS.WriteStream
  readonly #quiet: number
  readonly #mode: ProgressMode
  #shown = 0
  #width = 0

  constructor(stream: NodeJS.WriteStream = process.stderr, quiet = 10, mode: ProgressMode = progressMode(stream)) {
    this.#stream = stream
    this.#quiet = quiet
    this.#mode = mode
  }

  /** `share` in [0, 1], or undefined when the end is not known. */
  update(label: string, share: number | undefined, detail = ''): void {
    if (this.#mode === 'none') return
    const now = performance.now()
    const pause = this.#mode === 'lines' ? this.#quiet * 1000 : 100
    if (this.#shown > 0 && now - this.#shown < pause) return
    this.#shown = now
    const percent = share === undefined ? '' : `${String(Math.floor(100 * Math.min(1, share))).padStart(3)} % `
    if (this.#mode === 'lines') {
      this.#stream.write(`${label} ${percent}${detail}\n`)
      return
    }
    const bar = share === undefined ? '' : `${drawBar(share, 24)} `
    this.show(`${label} ${bar}${percent}${detail}`)
  }

  /** Rewrites the progress line, if it is one. */
  show(text: string): void {
    if (this.#mode === 'relay') this.#stream.write(`\r${text}\n`)
    if (this.#mode !== 'bar') return
    const line = text.slice(0, (this.#stream.columns ?? 100) - 1)
    this.#stream.write(`\r${line.padEnd(this.#width)}`)
    this.#width = line.length
  }

  /** Prints a line above the progress line. */
  line(text: string): void {
    if (this.#mode === 'none') return
    this.clear()
    this.#stream.write(`${text}\n`)
  }

  clear(): void {
    if (this.#mode === 'relay') this.#stream.write('\r\n')
    if (this.#mode === 'bar' && this.#width > 0) this.#stream.write(`\r${' '.repeat(this.#width)}\r`)
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
