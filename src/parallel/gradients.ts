/**
 * The main gradients of one rank, and what the ranks exchange of them after a batch: sums of shared parameters over the tensor-parallel group, of the
 * tied embedding over first and last stage, of everything over the data-parallel group. With ZeRO-1 (arXiv 1910.02054) the last sum leaves each
 * rank only the shard that it updates, and updated shards are gathered.
 */
import { alignment, type GradientBuffer, type Piece } from '../nn/index.ts'
import { l2Norm } from '../ops/index.ts'
import type { Interval } from '../optim/index.ts'
import { copy, empty, keep, scope, sizeOf, type Tensor } from '../tensor/index.ts'
import type { Pending } from './group.ts'
import type { Groups } from './groups.ts'
import type { ModelPart, PartParameter } from './part.ts'

/** Of so many elements those that are summed over the data-parallel group at once: an eighth, for sums to begin early, within what pays. */
export function bucketElements(elements: number): number {
  return Math.min(2 ** 24, Math.max(2 ** 12, Math.ceil(elements / 8)))
}

/** What is summed over the data-parallel group at once, and the parameters that lie in it. */
interface Bucket extends Interval {
  parameters: ReadonlySet<Tensor>
}

/** Knows from one step when in the next a parameter's gradient is complete: how often operations add to it. */
class Completion {
  #microBatches = 0
  #expected: Map<Tensor, number> | undefined
  #found = new Map<Tensor, number>()

  begin(microBatches: number): void {
    if (microBatches !== this.#microBatches) this.#expected = undefined
    this.#microBatches = microBatches
    this.#found = new Map()
  }

  /** True when this was the last time. */
  add(parameter: Tensor): boolean {
    const found = (this.#found.get(parameter) ?? 0) + 1
    this.#found.set(parameter, found)
    return found === this.#expected?.get(parameter)
  }

  end(): void {
    this.#expected = this.#found
  }
}

export class ParallelGradients {
  readonly buffer: GradientBuffer
  /** What this rank's optimizer updates. */
  readonly owned: readonly Interval[]
  readonly #part: ModelPart
  readonly #groups: Groups
  readonly #buckets: readonly Bucket[]
  /** Of shared parameters, of which each rank of the tensor-parallel group has a part of the gradient, the pieces. */
  readonly #partial: ReadonlyMap<Tensor, readonly Tensor[]>
  readonly #completion = new Completion()
  /** Parameters summed over the tensor-parallel group, and buckets being summed over the data-parallel one, in this step. */
  readonly #summed = new Set<Tensor>()
  readonly #started = new Map<Bucket, Pending>()
  /** This rank's share of what the norm is taken of: each logical element once in the world. */
  readonly #counted: readonly Interval[]

  constructor(part: ModelPart, groups: Groups) {
    const { data, layout } = groups
    this.#part = part
    this.#groups = groups
    const unit = alignment * data.size
    this.buffer = part.parameters.attachGradients(unit)
    const { size } = this.buffer.tensor
    this.#buckets = this.#bucketsOf(cut(size, Math.ceil(bucketElements(size) / unit) * unit))
    this.owned = layout.zero ? this.#buckets.map(bucket => shardOf(bucket, data)) : [{ begin: 0, end: this.buffer.tensor.size }]
    this.#partial = new Map(
      part.parts.map(of => [of.parameter, this.#partialGradients(of)] as const).filter(([, pieces]) => pieces.length > 0),
    )
    this.#counted = this.#countedIntervals()
  }

  /** Before the first micro-batch of a step, which has so many. */
  begin(microBatches: number): void {
    this.buffer.zero()
    this.#completion.begin(microBatches)
    this.#started.clear()
    this.#summed.clear()
  }

  /**
   * An operation that adds to this parameter's gradient has been enqueued. After the last one of a step its sums begin, beside the rest of the backward
   * pass: in the first step, which counts them, they wait for `reduce`.
   */
  readonly added = (parameter: Tensor): void => {
    const { data, embedding } = this.#groups
    if (data.size === 1 || !this.#completion.add(parameter)) return
    // The other end of the pipeline has a share of it. (Without a pipeline the embedding is the last to add: the head does so in the forward pass.)
    if (embedding && parameter === this.#part.tokenTable) return
    for (const piece of this.#partial.get(parameter) ?? []) this.#groups.tensor.allReduce(piece)
    this.#summed.add(parameter)
    for (const bucket of this.#buckets) {
      if (bucket.parameters.has(parameter) && [...bucket.parameters].every(other => this.#summed.has(other))) this.#start(bucket)
    }
  }

  /** Enqueues the sums that have not begun, when the batch's backward passes are, and waits for all on the device's stream. */
  reduce(): void {
    const { tensor, embedding } = this.#groups
    this.#completion.end()
    const left = [...this.#partial].flatMap(([parameter, pieces]) => (this.#summed.has(parameter) ? [] : pieces))
    if (left.length > 0) sumTogether(left, all => tensor.allReduce(all))
    const table = this.#part.tokenTable?.gradient
    if (embedding && table) embedding.allReduce(table)
    if (this.#groups.data.size === 1) return
    for (const bucket of this.#buckets) if (!this.#started.has(bucket)) this.#start(bucket)
    for (const pending of this.#started.values()) pending.wait()
  }

  #start(bucket: Bucket): void {
    const { data, layout } = this.#groups
    const sum = () =>
      scope(() => {
        const all = this.#view(bucket)
        if (layout.zero) data.reduceScatter(all, this.#view(shardOf(bucket, data)))
        else data.allReduce(all)
      })
    this.#started.set(bucket, data.beside(sum))
  }

  /** This rank's share of Σ g² over all parameters, after `reduce`; not finite when one of its gradients is not. */
  squares(): Promise<number> {
    return scope(async () => {
      if (this.#counted.length === 0) return 0
      const norms = empty([this.#counted.length], { dtype: 'f32', device: this.#part.device })
      for (const [i, interval] of this.#counted.entries()) l2Norm(this.#view(interval), norms.view(i, [1]))
      return Array.from(await norms.read()).reduce((sum, norm) => sum + norm * norm, 0)
    })
  }

  /** Enqueues the gathering of what the ranks of the data-parallel group have updated. */
  gatherParameters(): void {
    const { data, layout } = this.#groups
    if (!layout.zero || data.size === 1) return
    const gather = () => {
      for (const bucket of this.#buckets) scope(() => this.#gatherBucket(bucket))
    }
    data.beside(gather).wait()
  }

  dispose(): void {
    for (const pieces of this.#partial.values()) for (const piece of pieces) piece.dispose()
    this.#part.parameters.detachGradients()
  }

  #bucketsOf(intervals: readonly Interval[]): Bucket[] {
    const offsets = [...this.#part.parameters.stateOffsets()]
    return intervals.map(interval => {
      const inside = offsets.filter(([{ size }, offset]) => common(interval, { begin: offset, end: offset + size }).length > 0)
      return { ...interval, parameters: new Set(inside.map(([parameter]) => parameter)) }
    })
  }

  #gatherBucket(bucket: Interval): void {
    const { data } = this.#groups
    const { flat } = this.#part.parameters
    const staging = empty([bucket.end - bucket.begin], { dtype: flat.dtype, device: flat.device })
    // What is trained lies in the flat buffer with gaps where parameters are frozen.
    const move = ({ begin, end }: Interval, into: boolean) => {
      for (const { offset, stateOffset, length } of this.#part.parameters.segments()) {
        const [first, last] = [Math.max(begin, stateOffset), Math.min(end, stateOffset + length)]
        if (first >= last) continue
        const trained = flat.view(offset + first - stateOffset, [last - first])
        const staged = staging.view(first - bucket.begin, [last - first])
        if (into) copy(trained, staged)
        else copy(staged, trained)
      }
    }
    const own = shardOf(bucket, data)
    move(own, true)
    data.allGather(staging.view(own.begin - bucket.begin, [own.end - own.begin]), staging)
    move(bucket, false)
  }

  #view({ begin, end }: Interval): Tensor {
    return this.buffer.tensor.view(begin, [end - begin])
  }

  #partialGradients({ parameter, split, pieces }: PartParameter): Tensor[] {
    const { gradient } = parameter
    const { tensor } = this.#part
    if (!gradient || tensor.group.size === 1) return []
    // Norms see a rank's own rows only under sequence parallelism; shared keys and values only the rank's own heads in any case.
    if (split.kind === 'whole' && !tensor.sequence) return []
    return pieces.filter(({ shared }) => shared).map(({ offset, size }) => keep(gradient.view(offset, size)))
  }

  #countedIntervals(): Interval[] {
    const { layout, data, tensor } = this.#groups
    if (!layout.zero && data.rank > 0) return []
    const offsets = this.#part.parameters.stateOffsets()
    const counts = (piece: Piece, { copyOfFirstStage }: PartParameter) =>
      !copyOfFirstStage && (!piece.shared || tensor.rank === 0)
    const intervals = this.#part.parts.flatMap(of => {
      const start = offsets.get(of.parameter)
      if (start === undefined) return []
      return of.pieces
        .filter(piece => counts(piece, of))
        .map(({ offset, size }) => {
          const end = offset + sizeOf(size)
          // The zeros that pad a parameter count for nothing, and join it with the next.
          const padded = end === of.parameter.size ? Math.ceil(end / alignment) * alignment : end
          return { begin: start + offset, end: start + padded }
        })
    })
    return joined(intervals).flatMap(interval => this.owned.flatMap(owned => common(interval, owned)))
  }
}

/** [0, length) in pieces of at most `size`. */
function cut(length: number, size: number): Interval[] {
  return Array.from({ length: Math.ceil(length / size) }, (_, i) => ({ begin: i * size, end: Math.min(length, (i + 1) * size) }))
}

function shardOf({ begin, end }: Interval, { rank, size }: { rank: number; size: number }): Interval {
  const length = (end - begin) / size
  return { begin: begin + rank * length, end: begin + (rank + 1) * length }
}

function common(a: Interval, b: Interval): Interval[] {
  const [begin, end] = [Math.max(a.begin, b.begin), Math.min(a.end, b.end)]
  return begin < end ? [{ begin, end }] : []
}

/** In rising order, neighbours made one. */
function joined(intervals: readonly Interval[]): Interval[] {
  const result: Interval[] = []
  for (const interval of [...intervals].sort((a, b) => a.begin - b.begin)) {
    const last = result.at(-1)
    if (last?.end === interval.begin) last.end = interval.end
    else result.push({ ...interval })
  }
  return result
}

/** One exchange for many small tensors. */
function sumTogether(tensors: readonly Tensor[], sum: (all: Tensor) => void): void {
  scope(() => {
    const size = tensors.reduce((total, tensor) => total + tensor.size, 0)
    const all = empty([size], { dtype: 'f32', device: tensors[0]!.device })
    const places: { tensor: Tensor; place: Tensor }[] = []
    let offset = 0
    for (const tensor of tensors) {
      places.push({ tensor, place: all.view(offset, [tensor.size]) })
      offset += tensor.size
    }
    for (const { tensor, place } of places) copy(tensor, place)
    sum(all)
    for (const { tensor, place } of places) copy(place, tensor)
  })
}
