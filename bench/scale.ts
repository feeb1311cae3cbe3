/** Whether a model of StarCoderBase-1B's shape fits and runs: saved, loaded, trained in bf16 with checkpointing, sampled from. */
import { readFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { bytes } from '../src/cli/terminal.ts'
import type { ScaleCase, ScaleResult } from './children/scale.ts'
import { runChild } from './harness/child.ts'
import { shapes } from './harness/models.ts'
import type { Question, Setting } from './harness/question.ts'
import { atMost, type Row } from './harness/report.ts'
import { spreadOf } from './harness/timing.ts'

const needed = { memory: 21 * 2 ** 30, disk: 4e9 }
/** GiB of the whole process. */
const target = 20

export const scale: Question = {
  name: 'scale',
  asks: 'a model of StarCoderBase-1B’s shape in bf16: save, load, three training steps of 1024 tokens with checkpointing, 32 tokens generated',
  answer: async setting => {
    const { quick, note } = setting
    const lack = quick ? undefined : await whatLacks()
    if (lack) {
      note(`skipped: ${lack}`)
      return []
    }
    const shape = quick ? shapes.tiny : shapes['1B']
    const asked: ScaleCase = { config: shape.config, length: quick ? 64 : 1024, steps: 3, generated: 32 }
    return rowsOf(setting, asked, await runChild<ScaleResult>('scale.ts', asked))
  },
}

async function whatLacks(): Promise<string | undefined> {
  const available = 1024 * Number(/^MemAvailable:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0)
  if (available < needed.memory) return `${bytes(available)} of memory are available, ${bytes(needed.memory)} are needed`
  const { bavail, bsize } = await statfs(tmpdir())
  if (bavail * bsize < needed.disk) return `${bytes(bavail * bsize)} are free in ${tmpdir()}, ${bytes(needed.disk)} are needed`
}

function rowsOf({ peaks }: Setting, { length, generated }: ScaleCase, result: ScaleResult): Row[] {
  const { bytes: size, save, load, step, flops, generate, memory } = result
  const once = (seconds: number) => ({ median: seconds, min: seconds, max: seconds })
  // The first step also grows every workspace.
  const time = spreadOf(step.slice(1))
  const rate = flops / time.median
  const gibi = memory / 2 ** 30
  return [
    { what: 'save', time: once(save), numbers: { 'GB/s': size / save / 1e9 } },
    { what: 'load', time: once(load), numbers: { 'GB/s': size / load / 1e9 } },
    {
      what: 'training step',
      time,
      numbers: { 'tokens/s': length / time.median, 'GFLOP/s': rate / 1e9 },
      share: { of: 'bf16', value: rate / peaks.bf16.all },
    },
    { what: 'generate', time: once(generate), numbers: { 'tokens/s': generated / generate } },
    { what: 'most memory of the process', numbers: { GiB: gibi }, targets: [atMost('of memory', target, gibi, 'GiB')] },
  ]
}
