/** Results for a terminal: one line for an evaluation, one table for a run. */
import type { BitsPerByteResult, CodeResult, Interval } from '../eval/index.ts'
import type { ReportPoint, RunReport } from '../report/index.ts'
import type { RedTeamResult } from '../safety/index.ts'
import type { EvaluationRecord } from '../train/index.ts'
import { table } from './terminal.ts'

export function oneLine({ name, result }: Pick<EvaluationRecord, 'name' | 'result'>): string {
  switch (result.kind) {
    case 'bits-per-byte':
      return `bits per byte  ${bitsLine(result as BitsPerByteResult)}`
    case 'code':
      return `code  ${codeLine(result as CodeResult)}`
    case 'red-team':
      return `red team  ${redTeamLine(result as RedTeamResult)}`
    default:
      return name
  }
}

const bitsLine = ({ domains }: BitsPerByteResult) =>
  Object.entries(domains)
    .map(([domain, bits]) => `${domain} ${bits.bitsPerByte.value.toFixed(2)}`)
    .join('  ')

function codeLine({ all, reason }: CodeResult): string {
  if (all === null) return `not run: ${reason}`
  const drawn = Object.entries(all.passAt).map(([k, rate]) => `pass@${k} drawn ${percent(rate)}`)
  return [`pass@1 ${percent(all.greedy)}`, ...drawn].join('  ')
}

function redTeamLine({ all, overRefusal }: RedTeamResult): string {
  const refused = overRefusal.all ? `  over-refusal ${percent(overRefusal.all)}` : ''
  return `CARP ${all.carp.value.toFixed(1)}  ASR ${percent(all.asr)}${refused}`
}

const percent = (rate: Interval) => `${(100 * rate.value).toFixed(1)} %`

/** One column a point at which stages are compared, one row a measure. */
export function summary(report: RunReport): string {
  const points = report.points.filter(point => point.stageEnd)
  const row = (name: string, of: (point: ReportPoint) => string | undefined) => [name, ...points.map(point => of(point) ?? '–')]
  const domains = Object.keys(report.domains).filter(domain => points.some(point => point.bitsPerByte[domain]))
  const rows = [
    ...domains.map(domain =>
      row(`bits per byte, ${report.domains[domain]}`, point => point.bitsPerByte[domain]?.value.toFixed(3)),
    ),
    row('code suite, pass@1', ({ code }) => code && percent(code.greedy)),
    row('red team, CARP', ({ safety }) => safety?.all.carp.value.toFixed(1)),
    row('red team, attack success', ({ safety }) => safety && percent(safety.all.asr)),
    row('benign prompts refused', ({ safety }) => (safety?.overRefusal ? percent(safety.overRefusal) : undefined)),
  ]
  return table(
    ['', ...points.map(point => point.label)],
    rows.filter(([, ...cells]) => cells.some(cell => cell !== '–')),
  )
}
