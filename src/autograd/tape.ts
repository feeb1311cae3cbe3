/**
 * Reverse-mode differentiation by a tape: while a tape runs, each operation appends how to take its gradient; `backward`
 * walks the list once from its end. An entry holds what its derivative reads and lets go of it at once afterwards.
 */
import { AuroraError } from '../errors.ts'
import { copy, emptyLike, fill, scope, Tensor } from '../tensor/index.ts'
import { type Gradients, GradientTable } from './gradients.ts'

/** Puts the gradients of an operation's inputs into `grads`, given those of its outputs (undefined: does not reach the root). */
export type Backward = (dys: readonly (Tensor | undefined)[], grads: Gradients) => void

interface Entry {
  readonly name: string
  readonly outputs: readonly Tensor[]
  readonly backward: Backward
  readonly saved: readonly Tensor[]
}

/** Where operations record: nowhere, on a tape, or on a tape that only follows which tensors would need gradients. */
let current: { tape: Tape; dry: boolean } | undefined

/** Whether operations are being recorded. */
export function isRecording(): boolean {
  return current !== undefined && !current.dry
}

/** Whether an operation on these inputs will be recorded: a tape runs and one of them is trained or computed from such. */
export function willRecord(...inputs: readonly (Tensor | undefined)[]): boolean {
  return isRecording() && inputs.some(input => current!.tape.follows(input))
}

/** Runs the synchronous `fn` without recording. */
export function noGrad<T>(fn: () => T): T {
  return recordingTo(undefined, fn)
}

/**
 * Called by every operation when it has been enqueued.
 * @param inputs all tensors it took
 * @param saved what `backward` reads: inputs, outputs, and tensors that the operation made for it, which are handed over:
 *   the tape disposes of them, at once when there is nothing to record
 */
export function record(
  name: string,
  inputs: readonly (Tensor | undefined)[],
  outputs: Tensor | readonly Tensor[],
  backward: Backward,
  saved: readonly Tensor[] = [],
): void {
  const made = outputs instanceof Tensor ? [outputs] : outputs
  if (current !== undefined && inputs.some(input => current!.tape.follows(input))) {
    if (current.dry) current.tape.follow(...made)
    else current.tape.append(name, made, backward, saved)
  }
  for (const tensor of saved) if (!inputs.includes(tensor) && !made.includes(tensor)) tensor.dispose()
}

/**
 * Activation checkpointing: outputs = fn(...inputs), of which only the inputs are stored; the backward pass runs `fn` once
 * more. `fn` is synchronous, takes every activation it uses as an input, draws the same random numbers each time, and
 * returns tensors it made.
 */
export function checkpoint<T extends readonly Tensor[]>(fn: (...inputs: Tensor[]) => T, inputs: readonly Tensor[]): T {
  if (!isRecording()) return fn(...inputs)
  const { tape } = current!
  const outputs = scope(() => recordingTo({ tape, dry: true }, () => fn(...inputs)))
  if (!outputs.some(output => tape.follows(output))) return outputs
  // The recomputed operations land at the end of the tape, where the backward pass goes on with them.
  const backward: Backward = (dys, grads) => {
    const recomputed = scope(() => tape.run(() => fn(...inputs)))
    dys.forEach((dy, i) => {
      if (dy) grads.give(dy, recomputed[i])
    })
  }
  tape.append('checkpoint', outputs, backward, inputs)
  return outputs
}

export class Tape {
  readonly #entries: Entry[] = []
  /** Watched leaves, and outputs of recorded operations: the activations whose gradients are needed. */
  readonly #followed = new Set<Tensor>()
  readonly #gradients = new GradientTable(this.#followed)
  readonly #watched = new Set<Tensor>()

  /** Records the operations that the synchronous `fn` runs. */
  run<T>(fn: () => T): T {
    return recordingTo({ tape: this, dry: false }, fn)
  }

  /** Names of the recorded operations, first to last. */
  get operations(): string[] {
    return this.#entries.map(entry => entry.name)
  }

  /** Asks for the gradients of leaves that are no parameters; `gradient(leaf)` gives them after `backward`. */
  watch(...leaves: readonly Tensor[]): void {
    for (const leaf of leaves) {
      this.#watched.add(leaf)
      this.#followed.add(leaf)
    }
  }

  /** The gradient of a watched leaf, in its dtype, as a tensor of the caller's. Undefined when the root does not depend on it. */
  gradient(leaf: Tensor): Tensor | undefined {
    return this.#gradients.get(leaf)?.view(0, leaf.shape)
  }

  /**
   * Adds the gradient of Σ root·upstream to the main gradients of all parameters it was computed from, and frees every
   * recorded activation but the root as soon as it has been used. Afterwards the tape is empty.
   * @param upstream like the root in shape and dtype; ones when not given (the trainer's losses carry their weights already)
   * @param onAdded called with a parameter each time that an operation has been enqueued which adds to its main gradient
   */
  backward(root: Tensor, upstream?: Tensor, onAdded?: (parameter: Tensor) => void): void {
    if (!this.#followed.has(root)) {
      throw new AuroraError({
        code: 'ERR_INVALID_ARGUMENT',
        message: 'Tape.backward: the root was not recorded by this tape',
        expected: 'the result of operations on trainable parameters or watched tensors, run inside tape.run(…)',
        found: `a tensor [${root.shape}] that depends on none`,
        hint: 'attach gradients to the parameters (parameters.attachGradients()) before the forward pass; a tape can be used for one backward pass',
      })
    }
    const grads = this.#gradients
    const seed = emptyLike(root)
    if (upstream) copy(upstream, seed)
    else fill(seed, 1)
    try {
      grads.seed(root, seed, upstream === undefined)
      for (let entry = this.#entries.pop(); entry; entry = this.#entries.pop()) {
        const dys = entry.outputs.map(output => grads.take(output))
        if (dys.some(dy => dy !== undefined)) {
          entry.backward(dys, grads)
          grads.settle()
        }
        for (const parameter of grads.takeAdded()) onAdded?.(parameter)
        for (const dy of dys) if (dy) grads.drop(dy)
        letGo(entry, root)
      }
    } finally {
      grads.unseed()
      this.#clear(root)
    }
  }

  /** Frees all that a forward pass recorded, and the gradients of watched leaves. */
  dispose(): void {
    this.#clear()
    this.#gradients.dispose()
    this.#watched.clear()
    this.#followed.clear()
  }

  /** Whether a tensor's gradient is needed: it is trained, watched, or computed from such by recorded operations. */
  follows(tensor: Tensor | undefined): boolean {
    return tensor !== undefined && (tensor.gradient !== undefined || this.#followed.has(tensor))
  }

  follow(...tensors: readonly Tensor[]): void {
    for (const tensor of tensors) this.#followed.add(tensor)
  }

  append(name: string, outputs: readonly Tensor[], backward: Backward, saved: readonly Tensor[]): void {
    for (const tensor of saved) tensor.retain()
    this.follow(...outputs)
    this.#entries.push({ name, outputs, backward, saved })
  }

  #clear(root?: Tensor): void {
    for (let entry = this.#entries.pop(); entry; entry = this.#entries.pop()) letGo(entry, root)
    this.#followed.clear()
    this.follow(...this.#watched)
  }
}

function letGo(entry: Entry, root: Tensor | undefined): void {
  for (const tensor of entry.saved) tensor.release()
  for (const output of entry.outputs) if (output !== root) output.dispose()
}

function recordingTo<T>(target: typeof current, fn: () => T): T {
  const previous = current
  current = target
  try {
    const result = fn()
    if (result instanceof Promise) {
      throw new AuroraError({
        code: 'ERR_INVALID_ARGUMENT',
        message: 'only synchronous functions can be recorded',
        found: 'one that returned a promise',
        hint: 'operations return at once; await their values outside',
      })
    }
    return result
  } finally {
    current = previous
  }
}
