/** The gradients of activations while a backward pass runs. */
import { accumulate, copy, emptyLike, type Tensor } from '../tensor/index.ts'

/** What an operation's derivative sees: where to put the gradients of its inputs. */
export interface Gradients {
  /** Whether anybody needs this input's gradient. */
  wants(input: Tensor | undefined): boolean
  /** A fresh tensor to be overwritten with this operation's share of the input's gradient; undefined: not wanted. */
  into(input: Tensor | undefined): Tensor | undefined
  /** Hands over a tensor (one of the dys, or one made for this) that is the gradient of each of these inputs. */
  give(gradient: Tensor, ...inputs: readonly (Tensor | undefined)[]): void
  /** The f32 main gradient of a parameter, to be added to; undefined: not trained. */
  main(parameter: Tensor | undefined): Tensor | undefined
  /** Whether dy is the pass's seed of ones itself, so that an operation may have taken its gradient beforehand. */
  isUnit(dy: Tensor): boolean
}

/**
 * One slot for each activation. Slots may share a tensor (the two branches of a sum have the same gradient): shares are
 * counted, a shared one is never added to in place, and its memory is freed with its last share.
 */
export class GradientTable implements Gradients {
  readonly #wanted: ReadonlySet<Tensor>
  readonly #slots = new Map<Tensor, Tensor>()
  readonly #shares = new Map<Tensor, number>()
  /** Second gradients of inputs that already have one: written by the running operation, added when it has been enqueued. */
  #pending: { input: Tensor; gradient: Tensor }[] = []
  #unit: Tensor | undefined
  /** Parameters whose main gradients the running operation adds to. */
  #added: Tensor[] = []

  constructor(wanted: ReadonlySet<Tensor>) {
    this.#wanted = wanted
  }

  /** Sets the root's gradient, a tensor that nobody else uses. A seed of ones is `unit`: it is held, so that it stays one, until `unseed`. */
  seed(root: Tensor, seed: Tensor, unit: boolean): void {
    this.#put(root, seed)
    if (!unit) return
    this.hold(seed)
    this.#unit = seed
  }

  unseed(): void {
    if (this.#unit) this.drop(this.#unit)
    this.#unit = undefined
  }

  get(input: Tensor): Tensor | undefined {
    return this.#slots.get(input)
  }

  /** Empties an output's slot; whoever takes the gradient must `drop` it. */
  take(output: Tensor): Tensor | undefined {
    const gradient = this.#slots.get(output)
    this.#slots.delete(output)
    return gradient
  }

  /** Adds what the operation that has just been enqueued wrote beside existing gradients. */
  settle(): void {
    const pending = this.#pending
    this.#pending = []
    for (const { input, gradient } of pending) {
      this.#put(input, gradient)
      this.drop(gradient)
    }
  }

  /** Those of the operation that has just been enqueued. */
  takeAdded(): readonly Tensor[] {
    const added = this.#added
    this.#added = []
    return added
  }

  wants(input: Tensor | undefined): boolean {
    return input !== undefined && this.#wanted.has(input)
  }

  into(input: Tensor | undefined): Tensor | undefined {
    if (input === undefined || !this.#wanted.has(input)) return undefined
    const gradient = emptyLike(input)
    this.hold(gradient)
    if (this.#slots.has(input)) this.#pending.push({ input, gradient })
    else this.#slots.set(input, gradient)
    return gradient
  }

  give(gradient: Tensor, ...inputs: readonly (Tensor | undefined)[]): void {
    this.hold(gradient)
    for (const input of inputs) if (input !== undefined && this.#wanted.has(input)) this.#put(input, gradient)
    this.drop(gradient)
  }

  main(parameter: Tensor | undefined): Tensor | undefined {
    if (parameter?.gradient) this.#added.push(parameter)
    return parameter?.gradient
  }

  isUnit(dy: Tensor): boolean {
    return dy === this.#unit
  }

  /** One more share. With the first the table takes the tensor over from its maker. */
  hold(gradient: Tensor): void {
    const shares = this.#shares.get(gradient) ?? 0
    this.#shares.set(gradient, shares + 1)
    if (shares > 0) return
    gradient.retain()
    gradient.dispose()
  }

  drop(gradient: Tensor): void {
    const shares = this.#shares.get(gradient)! - 1
    if (shares > 0) {
      this.#shares.set(gradient, shares)
      return
    }
    this.#shares.delete(gradient)
    gradient.release()
  }

  /** Frees every gradient left. */
  dispose(): void {
    this.settle()
    this.unseed()
    for (const gradient of this.#slots.values()) this.drop(gradient)
    this.#slots.clear()
  }

  #put(input: Tensor, gradient: Tensor): void {
    const existing = this.#slots.get(input)
    if (existing === undefined) {
      this.hold(gradient)
      this.#slots.set(input, gradient)
    } else if (this.#shares.get(existing) === 1) {
      accumulate(existing, gradient)
    } else {
      const sum = emptyLike(existing)
      copy(existing, sum)
      accumulate(sum, gradient)
      this.drop(existing)
      this.hold(sum)
      this.#slots.set(input, sum)
    }
  }
}
