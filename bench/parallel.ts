/** Training in parallel: two processes of half the threads against one of all, and the memory that a rank takes against what is planned. */
import { freePort } from '../src/cli/launch/port.ts'
import { completeConfig, type GPTBigCodeConfig } from '../src/models/index.ts'
import { type ParallelLayout, planLayout, rankBytes, singleLayout, worldSize } from '../src/parallel/index.ts'
import type { RankCase, RankResult } from './children/parallel-rank.ts'
import { runChild } from './harness/child.ts'
import type { Question, Setting } from './harness/question.ts'
import { atLeast, atMost, type Row } from './harness/report.ts'
import { interleave, medianRatio, spreadOf } from './harness/timing.ts'

type Case = Omit<RankCase, 'rank'>

interface Contest {
  name: string
  layout: ParallelLayout
  /** Of the throughput of one process, times `bound`. */
  target: number
  /** What the schedule leaves at best: (m − bubble) / m. */
  bound?: number
}

const config: Partial<GPTBigCodeConfig> = { nLayer: 4, nEmbd: 768, nHead: 12, vocabSize: 4096, nPositions: 256 }
const whole: Case = { config, dtype: 'f32', length: 256, sequences: 8, microBatch: 1, checkpointing: false, steps: 2 }
/** Small, for its memory is a matter of counting. */
const held: Case = {
  ...whole,
  config: { nLayer: 4, nEmbd: 256, nHead: 4, vocabSize: 4096, nPositions: 256 },
  sequences: 8,
  steps: 1,
}
const quickly: Case = {
  ...whole,
  config: { nLayer: 2, nEmbd: 64, nHead: 4, vocabSize: 500, nPositions: 32 },
  length: 32,
  sequences: 4,
  microBatch: 1,
  steps: 1,
}

const layoutOf = (layout: Partial<ParallelLayout>): ParallelLayout => ({ ...singleLayout, ...layout })
const microBatches = whole.sequences / whole.microBatch
const contests: readonly Contest[] = [
  { name: 'data 2', layout: layoutOf({ data: 2 }), target: 0.9 },
  { name: 'data 2, ZeRO', layout: layoutOf({ data: 2, zero: true }), target: 0.9 },
  { name: 'tensor 2', layout: layoutOf({ tensor: 2 }), target: 0.75 },
  { name: 'tensor 2, sequence parallel', layout: layoutOf({ tensor: 2, sequenceParallel: true }), target: 0.75 },
  {
    name: `pipeline 2, ${microBatches} micro-batches`,
    layout: layoutOf({ pipeline: 2 }),
    target: 0.8,
    bound: microBatches / (microBatches + 1),
  },
]

export const parallel: Question = {
  name: 'parallel',
  asks: 'a training step by 2 processes of half the threads each, against 1 process of all; bytes of tensors of a rank, against the plan',
  answer: async setting => [
    ...(await throughput(setting, setting.quick ? quickly : whole)),
    ...(await memory(setting, setting.quick ? quickly : held)),
  ],
}

async function throughput(setting: Setting, of: Case): Promise<Row[]> {
  const { quick, machine, wanted } = setting
  const asked = contests.filter(({ name }) => wanted(`throughput ${name}`))
  if (asked.length === 0) return []
  const alone = { name: 'one process', run: async () => stepOf(await runRanks(of, undefined, machine.threads)) }
  const others = asked.map(({ name, layout }) => ({
    name,
    run: async () => stepOf(await runRanks(of, layout, Math.max(1, machine.threads >> 1))),
  }))
  const seconds = await interleave([alone, ...others], quick ? 1 : 2)
  const single = seconds.get(alone.name)!
  const row = (name: string, targets: Row['targets'], numbers: Record<string, number>): Row => {
    const time = spreadOf(seconds.get(name)!)
    return {
      what: `throughput ${name}`,
      time,
      numbers: { 'tokens/s': (of.sequences * of.length) / time.median, ...numbers },
      targets,
    }
  }
  return [
    row(alone.name, [], {}),
    ...asked.map(({ name, target, bound = 1 }) => {
      const ratio = medianRatio(single, seconds.get(name)!)
      const what = bound < 1 ? 'of the bubble’s bound' : 'of one process'
      return row(name, [atLeast(what, target, ratio / bound, '%')], { 'of one process': ratio, ...(bound < 1 ? { bound } : {}) })
    }),
  ]
}

/** Half a minute at most: a step each, of layouts whose parts differ. */
async function memory({ quick, wanted }: Setting, of: Case): Promise<Row[]> {
  const layouts: Record<string, Partial<ParallelLayout>> = {
    'one process': {},
    'tensor 2, sequence parallel': { tensor: 2, sequenceParallel: true },
    'pipeline 2': { pipeline: 2 },
    'data 2, ZeRO': { data: 2, zero: true },
    ...(quick ? {} : { '2 × 2 × 2': { tensor: 2, pipeline: 2, data: 2, sequenceParallel: true, zero: true } }),
  }
  const rows: Row[] = []
  for (const [name, given] of Object.entries(layouts)) {
    for (const dtype of ['f32', 'bf16'] as const) {
      const what = `memory ${name}, ${dtype}`
      if (!wanted(what)) continue
      const layout = layoutOf(given)
      const one = { ...of, dtype, steps: 1 }
      const results = await runRanks(one, worldSize(layout) === 1 ? undefined : layout, 1)
      const { sequences, length } = of
      const planned = planLayout(
        completeConfig(of.config),
        { sequences, length },
        {
          ...layout,
          checkpointing: of.checkpointing,
          microBatch: of.microBatch,
        },
      )
      // The worst of the ranks' differences.
      const ratios = results.map(({ memory }, rank) => {
        const stage = Math.floor(rank / (layout.tensor * layout.data))
        return rankBytes(completeConfig(of.config), planned, stage, dtype).total / memory
      })
      const worst = ratios.reduce((a, b) => (Math.abs(a - 1) > Math.abs(b - 1) ? a : b))
      rows.push({
        what,
        numbers: { 'MB measured': Math.max(...results.map(result => result.memory)) / 1e6, 'planned / measured': worst },
        targets: [atMost('off', 0.1, Math.abs(worst - 1), '%')],
      })
    }
  }
  return rows
}

const stepOf = (results: readonly RankResult[]) => spreadOf(results[0]!.seconds).median

async function runRanks(of: Case, layout: ParallelLayout | undefined, threads: number): Promise<RankResult[]> {
  const size = layout ? worldSize(layout) : 1
  const port = await freePort()
  const run = (rank: number) =>
    runChild<RankResult>(
      'parallel-rank.ts',
      { ...of, ...(layout ? { rank: { layout, rank, size, port } } : {}) } satisfies RankCase,
      {
        AURORA_NUM_THREADS: String(threads),
      },
    )
  return Promise.all(Array.from({ length: size }, (_, rank) => run(rank)))
}
