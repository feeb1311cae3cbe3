/** Finds where a text that grows piece by piece must stop, and what of it can be shown already. */
export class StopScanner {
  /** The text up to the first stop string. */
  text = ''
  /** The stop string that was met. */
  stop: string | undefined
  readonly #stops: readonly string[]
  readonly #longest: number
  #shown = 0

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter(stop => stop !== '')
    this.#longest = Math.max(0, ...this.#stops.map(stop => stop.length))
  }

  /** Appends a piece; true when the text has met a stop string. */
  push(piece: string): boolean {
    const from = Math.max(0, this.text.length - this.#longest + 1)
    this.text += piece
    let end = Number.POSITIVE_INFINITY
    for (const stop of this.#stops) {
      const at = this.text.indexOf(stop, from)
      if (at >= 0 && at < end) {
        end = at
        this.stop = stop
      }
    }
    if (this.stop === undefined) return false
    this.text = this.text.slice(0, end)
    return true
  }

  /** What was added since the last call and cannot be the beginning of a stop string; with `ended`, all of it. */
  take(ended: boolean): string {
    const end = ended ? this.text.length : this.#certain()
    const piece = this.text.slice(this.#shown, end)
    this.#shown = Math.max(this.#shown, end)
    return piece
  }

  /** Length of the text without the longest ending that begins a stop string. */
  #certain(): number {
    for (let start = Math.max(this.#shown, this.text.length - this.#longest + 1); start < this.text.length; start++) {
      const ending = this.text.slice(start)
      if (this.#stops.some(stop => stop.startsWith(ending))) return start
    }
    return this.text.length
  }
}
