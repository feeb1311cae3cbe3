/** `npm run bench`: measures the machine, then answers the questions asked (default: all). See bench/README.md. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import colours from 'picocolors'
import { bytes, duration, table } from '../src/cli/terminal.ts'
import { device } from '../src/tensor/index.ts'
import { attention } from './attention.ts'
import { collectives } from './collectives.ts'
import { decode } from './decode.ts'
import { gemm } from './gemm.ts'
import { describeMachine, type Machine, measurePeaks, type Peaks } from './harness/machine.ts'
import type { Question } from './harness/question.ts'
import { type Row, showRows } from './harness/report.ts'
import { memory } from './memory.ts'
import { overhead } from './overhead.ts'
import { parallel } from './parallel.ts'
import { passes } from './passes.ts'
import { scale } from './scale.ts'
import { train } from './train.ts'

const questions: readonly Question[] = [gemm, attention, train, decode, overhead, memory, passes, scale, collectives, parallel]

const command = new Command('bench')
  .description('measures the machine, then how near this package comes to it, and how it compares with others')
  .argument('[questions...]', `of ${questions.map(({ name }) => name).join(', ')}; default: all`)
  .option('--quick', 'small shapes, few repeats, no peers: shows that everything runs, not how fast', false)
  .option('--only <words>', 'only rows whose name contains all of these words')
  .option('--out <folder>', 'where results are kept', join('runs', 'bench'))
  .parse()
const { quick, out, only = '' } = command.opts<{ quick: boolean; out: string; only?: string }>()
const wanted = (what: string) => only.split(' ').every(word => what.includes(word))
const asked = command.args.length === 0 ? questions : command.args.map(findQuestion)

const machine = describeMachine()
const peaks = await measurePeaks(quick)
showMachine(machine, peaks)
if (peaks.busyElsewhere > 0.1) {
  console.log(
    colours.yellow(`other programs kept ${peaks.busyElsewhere.toFixed(1)} processors busy: results will vary, and fall short`),
  )
}
for (const question of asked) {
  console.log(`\n${colours.bold(question.name)}: ${question.asks}`)
  const started = performance.now()
  const answer = await question.answer({
    device: device(),
    machine,
    peaks,
    quick,
    wanted,
    note: text => console.log(`  ${text}`),
  })
  // Small shapes say nothing about targets.
  const rows = quick ? answer.map(row => ({ ...row, targets: [] })) : answer
  await device().trim()
  console.log(showRows(rows))
  console.log(colours.dim(`${keep(question, rows)} (${duration((performance.now() - started) / 1000)})`))
}

function findQuestion(name: string): Question {
  const found = questions.find(question => question.name === name)
  if (found) return found
  return command.error(`there is no question "${name}"; there are ${questions.map(({ name }) => name).join(', ')}`)
}

function showMachine({ cpu, processors, memoryBytes, instructionSet, threads, node, commit }: Machine, peaks: Peaks): void {
  console.log(
    `${cpu}, ${processors} processors, ${bytes(memoryBytes)}; ${instructionSet}, ${threads} threads; Node ${node}; ${commit}`,
  )
  const giga = (rate: number) => (rate / 1e9).toFixed(rate < 1e11 ? 1 : 0)
  const row = (what: string, rates: { one: number; all: number }, unit: string) => [what, giga(rates.one), giga(rates.all), unit]
  console.log(
    table(
      ['measured now', 'one thread', 'all threads', ''],
      [
        row('f32 multiply-adds', peaks.f32, 'GFLOP/s'),
        peaks.hasBf16
          ? row('bf16 dot products', peaks.bf16, 'GFLOP/s')
          : ['bf16 dot products', '–', '–', 'no instruction: held against f32'],
        row('memory read', peaks.read, 'GB/s'),
        row('memory copied (read + written)', peaks.copy, 'GB/s'),
        row('memory changed in place (read + written)', peaks.update, 'GB/s'),
      ],
    ),
  )
}

/** Writes the answer as JSON; returns the file's path. */
function keep({ name }: Question, rows: readonly Row[]): string {
  mkdirSync(out, { recursive: true })
  const date = new Date().toISOString()
  const path = join(out, `${date.slice(0, 19).replaceAll(':', '-')}-${name}.json`)
  const command = ['npm run bench --', ...process.argv.slice(2)].join(' ')
  writeFileSync(path, `${JSON.stringify({ question: name, date, command, quick, machine, peaks, rows }, null, 1)}\n`)
  return path
}
