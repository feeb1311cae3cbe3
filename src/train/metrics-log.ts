/** metrics.jsonl: one StepMetrics a line. JSON has no NaN: a value that is not finite is null in the file and NaN when read. */
import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileError } from '../checkpoint/index.ts'
import type { StepMetrics } from './step-metrics.ts'

export class MetricsLog {
  readonly path: string
  readonly #file: FileHandle

  private constructor(path: string, file: FileHandle) {
    this.path = path
    this.#file = file
  }

  /**
   * Opens the log for a run that goes on after `lastStep`: lines of later steps and a line that a crash cut short are
   * removed, and lines that never reached the disk are written again from `tail`, the metrics a checkpoint remembers.
   */
  static async open(path: string, lastStep: number, tail: readonly StepMetrics[] = []): Promise<MetricsLog> {
    await mkdir(dirname(path), { recursive: true })
    const { end, step } = await endOfStep(path, lastStep)
    const file = await open(path, 'a')
    await file.truncate(end)
    const log = new MetricsLog(path, file)
    for (const metrics of tail) if (metrics.step > step && metrics.step <= lastStep) await log.write(metrics)
    return log
  }

  async write(metrics: StepMetrics): Promise<void> {
    await this.#file.appendFile(`${JSON.stringify(metrics)}\n`)
  }

  async close(): Promise<void> {
    await this.#file.close()
  }
}

/** All whole lines of a metrics log. */
export async function readMetrics(path: string): Promise<StepMetrics[]> {
  const content = await readFile(path, 'utf8').catch(error => {
    throw fileError('read', path, error)
  })
  return content.split('\n').flatMap(line => parseLine(line) ?? [])
}

/** The byte after the last of the leading lines that are whole and of a step up to `lastStep`, and that line's step. */
async function endOfStep(path: string, lastStep: number): Promise<{ end: number; step: number }> {
  let end = 0
  let step = 0
  const content = await readFile(path).catch(() => Buffer.alloc(0))
  for (let newline = content.indexOf(10); newline >= 0; newline = content.indexOf(10, end)) {
    const metrics = parseLine(content.toString('utf8', end, newline))
    if (!metrics || metrics.step > lastStep) break
    step = metrics.step
    end = newline + 1
  }
  return { end, step }
}

const nonFinite = new Set(['loss', 'gradNorm'])

function parseLine(line: string): StepMetrics | undefined {
  try {
    const metrics = JSON.parse(line, (key, value) => (value === null && nonFinite.has(key) ? Number.NaN : value)) as StepMetrics
    for (const [domain, loss] of Object.entries(metrics.lossByDomain)) metrics.lossByDomain[domain] = loss ?? Number.NaN
    return Number.isInteger(metrics.step) ? metrics : undefined
  } catch {
    return undefined
  }
}
