/** Learning on all ranks of a parallel job together: each has a part of the model, of the batch and of the optimizer. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { type BlockSource, openCheckpoint, saveSharded, snapshot, writeFileAtomic } from '../checkpoint/index.ts'
import type { GlobalBatch, MicroBatch } from '../data/index.ts'
import { AuroraError } from '../errors.ts'
import { configToHuggingFace } from '../models/index.ts'
import { AdamW, type AdamWOptions, clipScale } from '../optim/index.ts'
import {
  type ModelPart, optimizerBlocks, ParallelGradients, type ParallelJob, readOptimizer, readWeights, runPipeline, weightBlocks,
} from '../parallel/index.ts' // biome-ignore format: one door
import { copy, scope, zeros } from '../tensor/index.ts'
import { type CheckpointTarget, frozenNames, type Learner, refreeze, type StepResult } from './learner.ts'
import { LossMeter, type LossTotals, meanLosses } from './step-metrics.ts'

/** What each rank tells the others after the backward passes of a step. Numbers that are not finite have no JSON: they come as null. */
interface Contribution {
  losses: LossTotals | null
  /** Its share of Σ g². */
  squares: number | null
}

export class ParallelLearner implements Learner {
  readonly part: ModelPart
  readonly job: ParallelJob
  readonly options: AdamWOptions
  readonly microBatch: number
  readonly #seed: number
  readonly #frozen: ReadonlySet<string>
  #gradients: ParallelGradients
  #optimizer: AdamW
  #start: string | undefined

  /** @param microBatch sequences of a pass; the batch must have as many for each data-parallel rank, and whole passes */
  constructor(part: ModelPart, options: AdamWOptions, microBatch: number, seed = 0) {
    this.part = part
    this.job = part.job
    this.options = options
    this.microBatch = microBatch
    this.#seed = seed
    this.#frozen = frozenNames(part.parameters)
    ;[this.#gradients, this.#optimizer] = this.#attach()
  }

  get updates(): number {
    return this.#optimizer.steps
  }

  async step(batch: GlobalBatch, lr: number): Promise<StepResult> {
    const { job, part, options } = this
    const { data, tensor } = job.groups
    const micros = this.#microBatches(batch)
    const meter = new LossMeter(batch.domains.length)
    const firstPass = (batch.step * data.size + data.rank) * micros.length
    job.world.at(`step ${batch.step + 1}`)
    try {
      this.#gradients.begin(micros.length)
      await runPipeline<MicroBatch>(part, job.groups, micros, {
        passOf: microBatch => firstPass + microBatch,
        onLosses: (losses, { targets, domain }) => meter.add({ losses, targets, domain }),
        onAdded: this.#gradients.added,
      })
      await meter.finish()
    } finally {
      meter.dispose()
    }
    this.#gradients.reduce()
    const speaks = part.stages.at(-1)!.last && tensor.rank === 0
    const own: Contribution = { losses: speaks ? meter.totals : null, squares: await this.#gradients.squares() }
    await job.groups.synchronize()
    const all = await job.gather<Contribution>(`step ${batch.step}`, own)

    const losses = meanLosses(batch.domains, sumOfTotals(all, batch.domains.length))
    const gradNorm = Math.sqrt(all.reduce((sum, { squares }) => sum + (squares ?? Number.NaN), 0))
    const finite = Number.isFinite(losses.loss) && Number.isFinite(gradNorm)
    if (finite) {
      this.#optimizer.step(lr, clipScale(gradNorm, options.clip))
      this.#gradients.gatherParameters()
    }
    return { ...losses, gradNorm, finite }
  }

  freeze(freeze: readonly string[]): void {
    const before = this.#optimizer
    scope(() => {
      const { parameters } = this.part
      const [pieces, offsets, size] = [before.pieces(), parameters.stateOffsets(), this.#gradients.buffer.tensor.size]
      this.#gradients.dispose()
      refreeze(parameters, this.#frozen, this.#present(freeze))
      ;[this.#gradients, this.#optimizer] = this.#attach()
      this.#optimizer.steps = before.steps
      for (const kind of before.kinds) {
        // Who owns what has changed, so the state is brought together once.
        const all = zeros([size], { device: this.part.device })
        for (const { parameter, begin, state } of pieces) {
          copy(state[kind]!, all.view(offsets.get(parameter)! + begin, state[kind]!.shape))
        }
        if (this.job.layout.zero) this.job.groups.data.allReduce(all)
        for (const { parameter, begin, state } of this.#optimizer.pieces()) {
          const offset = offsets.get(parameter)
          if (offset !== undefined) copy(all.view(offset + begin, state[kind]!.shape), state[kind]!)
        }
        all.dispose()
      }
    })
    before.dispose()
  }

  async save({ dir, step, tokenizer, writeState }: CheckpointTarget): Promise<{ folder: Promise<string> }> {
    const { job, part } = this
    this.#start ??= await job.ask(`start of checkpoints ${step}`, randomUUID())
    const blocks = [...weightBlocks(part), ...optimizerBlocks(part, this.#optimizer)]
    const hostBlocks = await snapshot(blocks).finally(() => {
      for (const { tensor } of blocks) tensor.dispose()
    })
    const config = configToHuggingFace(part.config, part.dtype === 'bf16' ? 'bfloat16' : 'float32')
    const folder = saveSharded({
      run: dir,
      step,
      rank: job.rank,
      job: this.#start,
      blocks: hostBlocks,
      gather: (key, value) => job.gather(key, value),
      writeFiles: async folder => {
        await tokenizer?.save(folder)
        await writeFileAtomic(join(folder, 'config.json'), `${JSON.stringify(config, undefined, 2)}\n`)
        await writeState(folder)
      },
    })
    return { folder }
  }

  async loadWeights(folder: string): Promise<void> {
    await this.#reading(folder, source => readWeights(this.part, source, folder))
    this.#optimizer.syncMaster()
  }

  async loadOptimizer(folder: string, updates: number): Promise<void> {
    await this.#reading(folder, source => readOptimizer(this.part, this.#optimizer, source))
    this.#optimizer.steps = updates
  }

  dispose(): void {
    this.#optimizer.dispose()
    this.#gradients.dispose()
    refreeze(this.part.parameters, this.#frozen, [])
  }

  #attach(): [ParallelGradients, AdamW] {
    const gradients = new ParallelGradients(this.part, this.job.groups)
    return [gradients, new AdamW(this.part.parameters, gradients.buffer, this.options, this.#seed, gradients.owned)]
  }

  #microBatches(batch: GlobalBatch): MicroBatch[] {
    const { data } = this.job.groups
    const { length } = batch.sequences
    if (length % (data.size * this.microBatch) === 0) return [...batch.microBatches(this.microBatch, data)]
    throw new AuroraError({
      code: 'ERR_LAYOUT',
      message: 'the batch cannot be shared out',
      expected: `a multiple of ${data.size * this.microBatch} sequences: data ${data.size} × micro-batch ${this.microBatch}`,
      found: String(length),
      hint: 'choose another batch, micro-batch or data-parallel size',
    })
  }

  /** The patterns that something here matches: other ranks have other parameters. */
  #present(patterns: readonly string[]): string[] {
    return patterns.filter(pattern => this.part.parameters.matches(pattern))
  }

  async #reading(folder: string, read: (source: BlockSource) => Promise<void>): Promise<void> {
    const source = await openCheckpoint(folder)
    try {
      await read(source)
    } finally {
      await source.close()
    }
  }
}

function sumOfTotals(all: readonly Contribution[], domains: number): LossTotals {
  const totals: LossTotals = { sums: new Array(domains).fill(0), counts: new Array(domains).fill(0) }
  for (const { losses } of all) {
    for (let domain = 0; losses && domain < domains; domain++) {
      totals.sums[domain]! += losses.sums[domain] ?? Number.NaN
      totals.counts[domain]! += losses.counts[domain]!
    }
  }
  return totals
}
