/**
 * A clock that stands still while this process is paused (a debugger, SIGSTOP, a machine that sleeps): silence of others is measured
 * on it, so that a process does not blame them for its own pause. It advances by `tick`, at most one and a half intervals each.
 */
export class RunningClock {
  /** Milliseconds that this process has run, as far as its ticks tell. */
  now = 0
  readonly #interval: number
  readonly #wall: () => number
  #last: number

  constructor(interval: number, wall: () => number = () => performance.now()) {
    this.#interval = interval
    this.#wall = wall
    this.#last = wall()
  }

  tick(): number {
    const wall = this.#wall()
    this.now += Math.min(Math.max(0, wall - this.#last), 1.5 * this.#interval)
    this.#last = wall
    return this.now
  }
}
