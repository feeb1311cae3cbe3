/** The report as one self-contained HTML page: no script, no request, plots as inline SVG, the numbers embedded as JSON. */
import type { Interval } from '../eval/index.ts'
import type { ReportPoint, RunReport, SafetyGroup } from './data.ts'
import * as plots from './plots.ts'
import { colourOf, css } from './theme.ts'

export function renderHtml(report: RunReport): string {
  const ends = report.points.filter(point => point.stageEnd)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(report.title)}</title>
<style>${css}</style>
</head>
<body><main>
<header>
<h1>${text(report.title)}</h1>
<div class="lead">${text(report.stages.map(stage => stage.name.toUpperCase()).join(' → '))} · ${text(report.created.slice(0, 16).replace('T', ' '))} UTC</div>
</header>
${cards(report, ends)}
${training(report)}
${languages(report)}
${code(ends)}
${safety(report, ends)}
${samples(report)}
${facts(report)}
<script type="application/json" id="report">${JSON.stringify(report).replaceAll('<', '\\u003c')}</script>
</main></body></html>
`
}

/** The answers a reader looks for first, each against the model that continual pretraining began with. */
function cards(report: RunReport, ends: ReportPoint[]): string {
  const first = ends.find(point => point.label === report.forgetting?.base) ?? ends[0]
  const last = ends.at(-1)
  if (!first || !last || first === last) return ''
  const languages = Object.keys(last.bitsPerByte).filter(domain => domain !== 'code' && domain in first.bitsPerByte)
  const mean = (point: ReportPoint) =>
    languages.length === 0
      ? undefined
      : languages.reduce((sum, domain) => sum + point.bitsPerByte[domain]!.value, 0) / languages.length
  const percents = (interval: Interval | undefined) => interval && 100 * interval.value
  const card = (title: string, of: (point: ReportPoint) => number | undefined, digits: number, moreIsBetter: boolean) => {
    const before = of(first)
    const after = of(last)
    if (before === undefined || after === undefined) return ''
    const change = after - before
    const tone = Math.abs(change) < 0.5 * 10 ** -digits ? '' : change > 0 === moreIsBetter ? 'good' : 'bad'
    return `<div class="card"><span>${text(title)}</span><b>${number(after, digits)}</b><span class="delta ${tone}">${signed(change, digits)}</span> <span>from ${number(before, digits)} ${text(first.label)}</span></div>`
  }
  return `<div class="cards">${[
    card('bits per byte, mean of languages', mean, 2, false),
    card('bits per byte, code', point => point.bitsPerByte.code?.value, 2, false),
    card('pass@1 on the code suite, %', point => percents(point.code?.greedy), 1, true),
    card('CARP on the red-team set', point => point.safety?.all.carp.value, 1, true),
    card('attack success rate, %', point => percents(point.safety?.all.asr), 1, false),
  ].join('')}</div>`
}

function training(report: RunReport): string {
  return `<h2>Training</h2>
<p class="lead">Loss through the stages: every step (dots), its running median (black), and the median of each domain.</p>
${figure(legend(report, Object.keys(report.domains)) + plots.lossPlot(report))}
${figure(plots.mixturePlot(report), 'What each stage trained on.')}
<div class="pair">${figure(plots.learningRatePlot(report))}${figure(plots.throughputPlot(report))}</div>`
}

function languages(report: RunReport): string {
  if (!report.points.some(point => Object.keys(point.bitsPerByte).length > 0)) return ''
  return `<h2>Languages and code: what was learnt, what was forgotten</h2>
<p class="lead">Held-out bits per byte, lower is better, on documents that training never saw; bars are 95 % bootstrap intervals over documents.
Bytes, not tokens: languages and tokenizers compare.</p>
${figure(plots.bitsPerBytePlot(report))}
${forgettingTable(report)}`
}

/** Each domain against the base at the end of each later stage: green learnt, orange forgotten. */
function forgettingTable(report: RunReport): string {
  const table = report.forgetting
  if (!table) return ''
  const later = table.points.filter(point => point !== table.base)
  const rows = table.rows.map(row => {
    const cells = later.map(point => {
      const cell = row.cells.find(cell => cell.point === point)
      if (!cell) return '<td>–</td>'
      const { change, relativeChange, bitsPerByte } = cell
      return `<td style="background: ${heat(relativeChange)}">${number(bitsPerByte, 3)} <small>${signed(change.value, 3)} (${signed(change.low, 2)} … ${signed(change.high, 2)}), ${signed(100 * relativeChange, 0)} %</small></td>`
    })
    return `<tr><td>${swatch(report, row.domain)}${text(report.domains[row.domain] ?? row.domain)}</td><td>${number(row.base, 3)}</td>${cells.join('')}</tr>`
  })
  return `<h3>Forgetting table</h3><p class="note">Held-out bits per byte against the model ${text(table.base)}: change with its 95 % interval (bootstrap over the same documents). Below zero was learnt, above was forgotten.</p>
<div class="scroll"><table><thead><tr><th>domain</th><th>${text(table.base)}</th>${later.map(point => `<th>${text(point)}</th>`).join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`
}

/** Saturates at a change of 30 %. */
function heat(change: number): string {
  const strength = Math.min(1, Math.abs(change) / 0.3) * 0.32
  return `rgba(var(${change <= 0 ? '--good' : '--bad'}), ${strength.toFixed(3)})`
}

function code(ends: ReportPoint[]): string {
  const points = ends.filter(point => point.code)
  if (points.length === 0) return ''
  const { problems, samples, passAt } = points.at(-1)!.code!
  const ks = Object.keys(passAt).sort((a, b) => Number(a) - Number(b))
  const rows = points.map(
    ({ label, code }) =>
      `<tr><td>${text(label)}</td><td>${percent(code!.greedy)}</td>${ks.map(k => `<td>${percent(code!.passAt[k])}</td>`).join('')}</tr>`,
  )
  const drawn = samples > 0 ? `; pass@k is unbiased, from ${samples} drawn samples each` : ''
  return `<h2>Code suite</h2>
<p class="lead">${problems} functions that training never saw, completed and run against hidden assertions${drawn}. Intervals are 95 % bootstrap over problems.</p>
${figure(pointLegend(points) + plots.codePlot(points))}
<div class="scroll"><table><thead><tr><th>point</th><th>pass@1, greedy</th>${ks.map(k => `<th>pass@${text(k)}, drawn</th>`).join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`
}

function safety(report: RunReport, ends: ReportPoint[]): string {
  const points = ends.filter(point => point.safety)
  if (points.length === 0) return ''
  const language = (group: string) => report.domains[group] ?? group
  const category = (group: string) => group.replaceAll('_', ' ')
  const last = points.at(-1)!.safety!
  const outer = points.length > 1 ? [points[0]!, points.at(-1)!] : points
  const table = (groups: Record<string, SafetyGroup>, name: (group: string) => string, title: string) =>
    `<div class="scroll"><table><thead><tr><th>${title}</th>${points.map(p => `<th>CARP ${text(p.label)}</th>`).join('')}${outer.map(p => `<th>ASR ${text(p.label)}</th>`).join('')}</tr></thead><tbody>${Object.keys(
      groups,
    )
      .map(group => {
        const of = (point: ReportPoint) => (title === 'language' ? point.safety!.byLanguage : point.safety!.byCategory)[group]
        return `<tr><td>${text(name(group))}</td>${points.map(p => `<td>${number(of(p)?.carp.value, 0)}</td>`).join('')}${outer.map(p => `<td>${percent(of(p)?.asr)}</td>`).join('')}</tr>`
      })
      .join('')}</tbody></table></div>`
  const refusals = points.map(point => `${text(point.label)} ${percent(point.safety!.overRefusal)}`).join(' · ')
  return `<h2>Safety</h2>
<p class="lead">The red-team set's answers, judged by rule. CARP = 100·Σscore / (2n): −2 harmful, +1 harmless but unhelpful, +2 harmless and helpful.
ASR: the share of harmful prompts that were not refused, with Wilson's 95 % interval.</p>
<p class="note">${text(last.rule)}</p>
<div class="pair">${figure(pointLegend(points) + plots.safetyPlot(points, 'byLanguage', 'carp', language), 'CARP by language of the prompt.')}${figure(
    pointLegend(points) + plots.safetyPlot(points, 'byLanguage', 'asr', language),
    'Attack success rate by language of the prompt.',
  )}</div>
${table(last.byLanguage, language, 'language')}
${table(last.byCategory, category, 'category')}
<p class="note">Over-refusal (benign prompts that were refused): ${refusals}</p>`
}

function samples(report: RunReport): string {
  const points = report.points.filter(point => point.samples.length > 0)
  if (points.length === 0) return ''
  return `<h2>In its own words</h2>${points
    .map(
      point =>
        `<details${point === points.at(-1) ? ' open' : ''}><summary>${text(point.label)}</summary>${point.samples
          .map(
            sample =>
              `<div class="sample"><div class="tag">${text(sample.label)} · ${text(sample.verdict)}</div><pre>${text(sample.prompt)}<strong>${text(sample.answer)}</strong></pre></div>`,
          )
          .join('')}</details>`,
    )
    .join('')}`
}

function facts(report: RunReport): string {
  const rows = Object.entries(report.facts).map(([key, value]) => `<tr><td>${text(key)}</td><td>${text(value)}</td></tr>`)
  return `<h2>The run</h2><table class="facts"><tbody>${rows.join('')}</tbody></table>
${report.recipe ? `<details><summary>The recipe</summary><pre>${text(report.recipe)}</pre></details>` : ''}`
}

const figure = (content: string, caption?: string) =>
  `<figure>${content}${caption ? `<figcaption>${text(caption)}</figcaption>` : ''}</figure>`

const swatch = (report: RunReport, domain: string) =>
  `<i style="display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:8px;background:${colourOf(Object.keys(report.domains), domain)}"></i>`

function legend(report: RunReport, domains: string[]): string {
  return `<div class="legend">${domains.map(domain => `<span>${swatch(report, domain)}${text(report.domains[domain]!)}</span>`).join('')}</div>`
}

function pointLegend(points: ReportPoint[]): string {
  const colours = plots.ordered(points.length)
  return `<div class="legend">${points.map((point, i) => `<span><i style="background:${colours[i]}"></i>${text(point.label)}</span>`).join('')}</div>`
}

function text(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

/** A true minus sign, and a dash for what was not measured. */
function number(value: number | undefined, digits: number): string {
  return value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(digits).replace('-', '−')
}
const signed = (value: number, digits: number) => (value > 0 ? '+' : '') + number(value, digits)

function percent(interval: Interval | null | undefined): string {
  if (!interval) return '–'
  return `${number(100 * interval.value, 1)} % <small>${number(100 * interval.low, 0)}–${number(100 * interval.high, 0)}</small>`
}
