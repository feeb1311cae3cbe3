/** A plan as tables for people; with `explain` every line is followed by where it comes from. */
import colours from 'picocolors'
import { parameterCount } from '../models/index.ts'
import {
  type CalibrationRow, logitRows, type Plan, type RankBytes, type SearchResult, type StageSeconds, stageTotal, worldSize,
} from '../parallel/index.ts' // biome-ignore format: one door
import type { PlanInputs } from './plan-inputs.ts'
import { bytes, count, table } from './terminal.ts'

const percent = (share: number) => `${(100 * share).toFixed(1)} %`

const rate = (value: number) => count(Number(value.toPrecision(3)))

/** 0.0123 → "12.3 ms", 40 → "40.0 s". */
export function seconds(value: number): string {
  if (value === 0) return '0'
  if (value >= 1) return `${value >= 1000 ? Math.round(value) : value.toPrecision(3)} s`
  return value >= 1e-3 ? `${(1e3 * value).toPrecision(3)} ms` : `${(1e6 * value).toPrecision(3)} µs`
}

/** Formulas under a table, name by name. */
function explained(formulas: Readonly<Record<string, string>>, explain: boolean): string[] {
  if (!explain) return []
  const width = Math.max(...Object.keys(formulas).map(name => name.length))
  return Object.entries(formulas).map(([name, formula]) => colours.dim(`  ${name.padEnd(width)}  ${formula}`))
}

export function heading({ name, config, batch, machine, devices, dtype, attention }: PlanInputs, { layout }: Plan): string {
  const { tensor, pipeline, data, chunks, microBatch, microBatches, checkpointing, sequenceParallel, zero } = layout
  const switches = [
    chunks > 1 ? `${chunks} chunks a rank` : '',
    sequenceParallel ? 'sequence parallel' : '',
    zero ? 'ZeRO-1' : '',
    checkpointing ? 'checkpointing' : '',
  ].filter(Boolean)
  const tokens = batch.sequences * batch.length
  const { nLayer, nEmbd, nHead, vocabSize } = config
  const lines = [
    [
      'model',
      `${name}: ${count(parameterCount(config))} parameters, ${nLayer} layers, width ${nEmbd}, ${nHead} heads, ${vocabSize} tokens`,
    ],
    ['machine', `${devices} × ${machine.name}, ${dtype}, attention ${attention}`],
    ['layout', [`tensor ${tensor} × pipeline ${pipeline} × data ${data}`, ...switches].join(', ')],
    [
      'batch',
      `${batch.sequences} × ${batch.length} = ${count(tokens)} tokens a step; ${microBatches} micro-batches of ${microBatch} a pipeline`,
    ],
  ]
  if (pipeline * chunks > 1) lines.push(['layers', `${layersOf(layout.layersPerStage)} by stage`])
  return lines.map(([label, text]) => `${colours.bold(label!.padEnd(8))} ${text}`).join('\n')
}

const memoryFormulas = {
  parameters: "bytes of the dtype × the rank's elements: its layers, each matrix divided by T (keys and values whole)",
  gradients: '4 bytes an element, whole on every rank',
  moments: '8 bytes an element, divided by the data ranks with ZeRO-1',
  master: '4 bytes an element in bf16, divided by the data ranks with ZeRO-1',
  activations:
    'micro-batches in flight × what their blocks save (5·D + W + 2·F a row; 2·D with checkpointing), + temporaries of one',
  communication: "the rank's part of reduced gradients (ZeRO-1); 4 tensors [N/T or N, D] between stages",
  workspace: `f32 logits of ${logitRows} rows on the last stage`,
} as const satisfies Record<Exclude<keyof RankBytes, 'total'>, string>

export function memoryTable({ memory, usable, fits }: Plan, explain: boolean): string {
  // Inner stages resemble each other: many are shown by their ends and the fullest.
  const fullest = memory.reduce((most, { total }, rank) => (total > memory[most]!.total ? rank : most), 0)
  const shown =
    memory.length <= 6 ? memory.map((_, rank) => rank) : [...new Set([0, 1, fullest, memory.length - 1])].sort(byNumber)
  const kinds = Object.keys(memoryFormulas) as (keyof typeof memoryFormulas)[]
  const row = (kind: keyof RankBytes) => [kind, ...shown.map(rank => bytes(memory[rank]![kind]))]
  const verdict = fits
    ? colours.green(`fits: ${bytes(memory[fullest]!.total)} of ${bytes(usable)} usable`)
    : colours.red(`does not fit: ${bytes(memory[fullest]!.total)} of ${bytes(usable)} usable`)
  return [
    table(['memory of a device', ...shown.map(rank => `stage ${rank}`)], [...kinds, 'total' as const].map(row)),
    verdict,
    ...explained(memoryFormulas, explain),
  ].join('\n')
}

const byNumber = (a: number, b: number) => a - b

const timeFormulas = {
  'matrix products':
    '2·m·n·k FLOPs at peak × gemm share × s/(s + half), s = ∛(m·n·k); backward twice, once more with checkpointing',
  attention: '4·D·length/2 FLOPs a row forward, 2.5 times that backward, at peak × attention share (fused)',
  'element-wise': '8·D + 2·F elements a row forward, 16·D + 3·F backward, at memory bandwidth × share',
  'tensor group': '(T − 1)/T of [N, D] a collective over bandwidth × share, + T − 1 latencies; not overlapped',
  pipeline: 'simulated: steps of all stages, each after its input has arrived; waiting is (P − 1)/(v·m) when stages are equal',
  'data group': '(R − 1)/R of 4 bytes an element to reduce, and of its dtype to gather, R data ranks; not overlapped',
  'tied embedding': "4 bytes an element of the rank's rows between the first and the last stage",
  optimizer: '38 bytes a parameter in bf16 (34 of them divided by ZeRO-1) at memory bandwidth × share',
} as const

export function timeTable({ time, layout }: Plan, explain: boolean): string {
  const slowest = time.forward.reduce((most, _, stage) => (passOf(time, stage) > passOf(time, most) ? stage : most), 0)
  const [forward, backward] = [time.forward[slowest]!, time.backward[slowest]!]
  const part = (name: string, of: (pass: StageSeconds) => number) => [
    name,
    seconds(of(forward)),
    seconds(of(backward)),
    percent((of(forward) + of(backward)) / passOf(time, slowest)),
  ]
  const stageName = layout.layersPerStage.length > 1 ? `, stage ${slowest} (the slowest)` : ''
  const share = (value: number) => percent(value / time.step)
  const { pipeline, reduction, embedding, optimizer } = time
  return [
    table(
      [`a micro-batch${stageName}`, 'forward', 'backward', 'share'],
      [
        part('matrix products', pass => pass.gemm),
        part('attention', pass => pass.attention),
        part('element-wise', pass => pass.memory),
        part('tensor group', pass => pass.tensor),
        part('sum', stageTotal),
      ],
    ),
    '',
    table(
      ['a step', 'seconds', 'share'],
      [
        ['pipeline', seconds(pipeline), share(pipeline)],
        ['data group', seconds(reduction), share(reduction)],
        ['tied embedding', seconds(embedding), share(embedding)],
        ['optimizer', seconds(optimizer), share(optimizer)],
        ['sum', seconds(time.step), ''],
      ],
    ),
    ...explained(timeFormulas, explain),
  ].join('\n')
}

const passOf = ({ forward, backward }: Plan['time'], stage: number) => stageTotal(forward[stage]!) + stageTotal(backward[stage]!)

/** Communication of a device in a step; nothing for one device. */
export function trafficTable({ time }: Plan): string {
  if (time.traffic.length === 0) return ''
  return table(
    ['communication of a device', '', 'calls', 'sent', 'time', 'over'],
    time.traffic.map(({ group, what, calls, bytes: sent, seconds: spent, over }) => [
      group,
      what,
      calls,
      bytes(sent),
      seconds(spent),
      over,
    ]),
    2,
  )
}

/** Days that `tokens` take at this speed, without pauses. */
export const daysOf = (tokens: number, { time }: Plan): number => tokens / time.tokensPerSecond / 86_400

export function resultLines(plan: Plan, { tokens, machine }: PlanInputs, explain: boolean): string {
  const { time, layout } = plan
  const devices = worldSize(layout)
  const rows: [string, string][] = [
    ['step', seconds(time.step)],
    ['speed', `${rate(time.tokensPerSecond)} tokens/s, ${rate(time.tokensPerSecond / devices)} a device`],
    ['model FLOP/s', `${count(time.modelFlops)}FLOP/s a device, MFU ${percent(time.mfu)}`],
  ]
  if (layout.checkpointing) rows.push(['with recomputing', `${count(time.hardwareFlops)}FLOP/s a device`])
  if (layout.pipeline > 1) rows.push(['bubble', `waiting is ${percent(time.bubble)} of the working time`])
  if (tokens !== undefined) {
    const days = daysOf(tokens, plan)
    rows.push([
      'run',
      `${count(tokens)} tokens: ${days >= 1 ? `${days.toFixed(1)} days` : seconds(days * 86_400)}, without pauses`,
    ])
  }
  const formulas = {
    'model FLOP/s': '(6·W + 6·L·D·(length + 1)) FLOPs a token; recomputation is not counted',
    MFU: 'that over the peak of the device',
  }
  return [
    ...rows.map(([name, text]) => `${colours.bold(name.padEnd(17))}${text}`),
    ...explained(formulas, explain),
    colours.dim(`A prediction; ${machine.basis}. "aurora plan --calibration" shows how far predictions were off.`),
  ].join('\n')
}

export function searchTable({ plans, possible, tooLarge }: SearchResult, rows: number): string {
  const head = ['tensor', 'pipeline', 'data', 'chunks', 'micro', 'recompute', 'layers', 'memory', 'bubble', 'MFU', 'step']
  const lines = plans
    .slice(0, rows)
    .map(({ layout, memory, time }) => [
      layout.tensor,
      layout.pipeline,
      layout.data,
      layout.chunks,
      layout.microBatch,
      layout.checkpointing ? 'yes' : 'no',
      layersOf(layout.layersPerStage),
      bytes(Math.max(...memory.map(({ total }) => total))),
      percent(time.bubble),
      percent(time.mfu),
      seconds(time.step),
    ])
  const sum = `${possible} layouts are possible, ${plans.length} fit into memory, ${tooLarge} do not`
  return plans.length === 0 ? sum : `${table(head, lines, 0)}\n${sum}`
}

/** 9, 9, 9, 7 → "3 × 9, 7". */
function layersOf(counts: readonly number[]): string {
  const runs: { count: number; times: number }[] = []
  for (const count of counts) {
    const last = runs.at(-1)
    if (last?.count === count) last.times++
    else runs.push({ count, times: 1 })
  }
  return runs.map(({ count, times }) => (times > 1 ? `${times} × ${count}` : String(count))).join(', ')
}

/** Fits and forecasts apart, so that nobody takes one for the other. */
export function calibrationTables(rows: readonly CalibrationRow[]): string {
  const line = ({ name, software, published, predicted, error }: CalibrationRow) => [
    name,
    software,
    `${published.value} ${published.unit}`,
    predicted === undefined ? '–' : predicted.toPrecision(3),
    error === undefined ? '–' : `${error >= 0 ? '+' : '−'}${Math.abs(100 * error).toFixed(1)} %`,
  ]
  const section = (use: CalibrationRow['use'], title: string) => [
    colours.bold(title),
    table(['run', 'software', 'published', 'predicted', 'error of the time'], rows.filter(row => row.use === use).map(line), 2),
    '',
  ]
  return [
    ...section('fit', 'FITTED: four constants were chosen to make these right; their errors say nothing'),
    ...section('forecast', 'FORECAST: nothing of these rows was used'),
    ...section('no forecast', 'NOT FORECAST: the sources read do not give the layout'),
    'Errors are of the time of a step: + is predicted too slow. What each row takes for granted:',
    ...[...new Set(rows.map(({ name, remarks, source }) => `  ${name}: ${remarks}. ${source}`))],
  ].join('\n')
}
