/** The report's plots: each a function from numbers to one SVG string. */
import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import type { ReportPoint, ReportSafety, RunReport } from './data.ts'
import { colourOf } from './theme.ts'

const width = 980
const half = 470

/** Observable Plot draws into any DOM; this one lives in memory. */
export function draw(options: Plot.PlotOptions): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>')
  const svg = Plot.plot({
    document: document as unknown as NonNullable<Plot.PlotOptions['document']>,
    style: { background: 'transparent', fontSize: '12px', fontFamily: 'inherit' },
    marginLeft: 56,
    marginBottom: 40,
    ...options,
  })
  return svg.outerHTML
}

/** A median over a sliding window: shows the course of a noisy loss without moving its level as a mean would. */
function smooth<T>(rows: readonly T[], value: (row: T) => number, window: number): number[] {
  return rows.map((_, i) => {
    const near = rows
      .slice(Math.max(0, i - window), i + window + 1)
      .map(value)
      .filter(Number.isFinite)
      .sort((a, b) => a - b)
    return near[near.length >> 1] ?? Number.NaN
  })
}

const million = (tokens: number) => tokens / 1e6
const tokensAxis: Plot.ScaleOptions = { label: 'million tokens', labelAnchor: 'center', nice: false }

/** The stages' borders and names, for plots over tokens. */
function stageMarks(report: RunReport): Plot.Markish[] {
  const steps = report.steps
  const starts = report.stages.map(stage => {
    const before = steps.filter(step => step.step < stage.from).at(-1)
    return { name: stage.name, x: million(before?.tokens ?? 0) }
  })
  return [
    Plot.ruleX(starts.slice(1), { x: 'x', stroke: 'currentColor', strokeOpacity: 0.35, strokeDasharray: '3,3' }),
    Plot.text(starts, {
      x: 'x',
      text: (d: { name: string }) => d.name.toUpperCase(),
      frameAnchor: 'top',
      textAnchor: 'start',
      dx: 6,
      lineAnchor: 'bottom',
      dy: -6,
      fontWeight: 600,
      fillOpacity: 0.7,
    }),
  ]
}

/** Training loss over all stages: every step as a faint dot, its running median, and one thin line a domain. */
export function lossPlot(report: RunReport): string {
  const steps = report.steps.filter(step => !step.skipped)
  const window = Math.max(2, Math.round(steps.length / 100))
  const domains = Object.keys(report.domains)
  const medians = stageByStage(steps, rows => smooth(rows, row => row.loss, window))
  const byDomain = domains.flatMap(domain => {
    const rows = steps.filter(step => step.lossByDomain[domain] !== undefined)
    return stageByStage(rows, part => smooth(part, row => row.lossByDomain[domain]!, window)).map(point => ({
      ...point,
      domain,
      z: `${domain} ${point.stage}`,
    }))
  })
  return draw({
    width,
    height: 360,
    marginTop: 44,
    x: tokensAxis,
    y: { label: 'loss, nats a token', grid: true },
    marks: [
      Plot.dot(steps, {
        x: (d: { tokens: number }) => million(d.tokens),
        y: 'loss',
        r: 1.1,
        fill: 'currentColor',
        fillOpacity: 0.18,
      }),
      Plot.lineY(byDomain, {
        x: 'x',
        y: 'y',
        z: 'z',
        stroke: (d: { domain: string }) => colourOf(domains, d.domain),
        strokeWidth: 1.2,
        strokeOpacity: 0.85,
      }),
      Plot.lineY(medians, { x: 'x', y: 'y', z: 'stage', stroke: 'currentColor', strokeWidth: 2.2 }),
      ...stageMarks(report),
    ],
  })
}

function stageByStage<T extends { stage: string; tokens: number }>(rows: readonly T[], values: (rows: T[]) => number[]) {
  const stages = [...new Set(rows.map(row => row.stage))]
  return stages.flatMap(stage => {
    const part = rows.filter(row => row.stage === stage)
    return values(part).map((y, i) => ({ x: million(part[i]!.tokens), y, stage }))
  })
}

/** What each stage trained on: one bar a stage, its parts the shares by domain. */
export function mixturePlot(report: RunReport): string {
  const domains = Object.keys(report.domains)
  const rows = report.stages.flatMap(stage =>
    Object.entries(stage.mixture).map(([domain, share]) => ({ stage: stage.name, domain, share })),
  )
  return draw({
    width,
    height: 46 + 34 * report.stages.length,
    marginLeft: 80,
    x: { label: 'share of sequences', percent: true, labelAnchor: 'center' },
    y: { label: null, domain: report.stages.map(stage => stage.name) },
    marks: [
      Plot.barX(
        rows,
        Plot.stackX({
          y: 'stage',
          x: 'share',
          fill: (d: { domain: string }) => colourOf(domains, d.domain),
          order: domains,
          z: 'domain',
          insetRight: 1,
          insetTop: 2,
          insetBottom: 2,
        } as Plot.BarXOptions) as Plot.BarXOptions,
      ),
      Plot.text(
        rows,
        Plot.stackX({
          y: 'stage',
          x: 'share',
          // A name needs about 4 % of the width.
          text: (d: { domain: string; share: number }) => (d.share > 0.045 ? d.domain : ''),
          z: 'domain',
          order: domains,
          fill: 'white',
          fontWeight: 600,
        } as Plot.TextOptions) as Plot.TextOptions,
      ),
    ],
  })
}

export function learningRatePlot(report: RunReport): string {
  return draw({
    width: half,
    height: 200,
    marginTop: 44,
    x: tokensAxis,
    y: { label: 'learning rate', grid: true, tickFormat: '.0e' },
    marks: [
      Plot.lineY(report.steps, { x: (d: { tokens: number }) => million(d.tokens), y: 'lr', strokeWidth: 1.8 }),
      ...stageMarks(report),
    ],
  })
}

export function throughputPlot(report: RunReport): string {
  return draw({
    width: half,
    height: 200,
    marginTop: 44,
    x: tokensAxis,
    y: { label: 'tokens a second', grid: true, zero: true },
    marks: [
      Plot.lineY(
        report.steps,
        Plot.windowY({
          k: Math.max(1, Math.round(report.steps.length / 60)),
          reduce: 'median',
          x: (d: { tokens: number }) => million(d.tokens),
          y: 'tokensPerSecond',
          strokeWidth: 1.8,
        }),
      ),
      ...stageMarks(report),
    ],
  })
}

/** Held-out bits per byte of every domain at every evaluated point, with 95 % intervals. */
export function bitsPerBytePlot(report: RunReport): string {
  const domains = Object.keys(report.domains)
  const rows = report.points.flatMap(point =>
    Object.entries(point.bitsPerByte).map(([domain, bpb]) => ({ domain, x: million(point.tokens), ...bpb })),
  )
  const last = rows.filter(row => row.x === Math.max(...rows.map(r => r.x)))
  const colour = (d: { domain: string }) => colourOf(domains, d.domain)
  return draw({
    width,
    height: 380,
    marginTop: 44,
    marginRight: 90,
    x: tokensAxis,
    y: { label: 'held-out bits per byte', grid: true, type: 'log', ticks: 8, tickFormat: '.2~f' },
    marks: [
      Plot.lineY(rows, { x: 'x', y: 'value', z: 'domain', stroke: colour, strokeWidth: 2, marker: 'circle' }),
      Plot.ruleX(rows, { x: 'x', y1: 'low', y2: 'high', stroke: colour, strokeOpacity: 0.6 }),
      Plot.text(
        spread(
          last,
          rows.map(row => row.value),
          380 - 84,
        ),
        {
          x: 'x',
          y: 'at',
          text: (d: { domain: string }) => report.domains[d.domain] ?? d.domain,
          fill: colour,
          textAnchor: 'start',
          dx: 8,
          fontWeight: 600,
        },
      ),
      ...stageMarks(report),
    ],
  })
}

/** Labels at the end of lines, moved apart so that they can be read, on a logarithmic axis that shows `all` over `height` pixels. */
function spread<T extends { value: number }>(rows: readonly T[], all: readonly number[], height: number): (T & { at: number })[] {
  const lineHeight = (Math.max(...all) / Math.min(...all)) ** (14 / height)
  let floor = 0
  return [...rows]
    .sort((a, b) => a.value - b.value)
    .map(row => {
      floor = Math.max(row.value, floor * lineHeight)
      return { ...row, at: floor }
    })
}

/** pass@1 by family of problems, one group of bars a point. */
export function codePlot(points: readonly ReportPoint[]): string {
  const rows = points.flatMap(point =>
    Object.entries(point.code?.byFamily ?? {}).map(([family, pass]) => ({ label: point.label, family, pass })),
  )
  return draw({
    width,
    height: 240,
    x: { axis: null, domain: points.map(point => point.label) },
    fx: { label: null },
    y: { label: 'pass@1', percent: true, grid: true, domain: [0, 100] },
    color: { domain: points.map(point => point.label), range: ordered(points.length) },
    marks: [
      Plot.barY(rows, { fx: 'family', x: 'label', y: 'pass', fill: 'label', insetLeft: 0.5, insetRight: 0.5 }),
      Plot.ruleY([0]),
    ],
  })
}

/** A group of bars for each language or category, one bar a point. */
export function safetyPlot(
  points: readonly ReportPoint[],
  by: 'byLanguage' | 'byCategory',
  value: 'carp' | 'asr',
  names: (group: string) => string,
): string {
  const rows = points.flatMap(point =>
    Object.entries((point.safety as ReportSafety)[by]).map(([group, scores]) => ({
      label: point.label,
      group: names(group),
      value: scores[value].value,
      low: scores.asr.low,
      high: scores.asr.high,
    })),
  )
  return draw({
    width: half,
    height: 230,
    marginBottom: by === 'byCategory' ? 60 : 40,
    x: { axis: null, domain: points.map(point => point.label) },
    fx: { label: null, tickRotate: by === 'byCategory' ? -18 : 0 },
    y:
      value === 'carp'
        ? { label: 'CARP', grid: true, domain: [-100, 100] }
        : { label: 'attack success rate', percent: true, grid: true, domain: [0, 100] },
    color: { domain: points.map(point => point.label), range: ordered(points.length) },
    marks: [
      Plot.barY(rows, { fx: 'group', x: 'label', y: 'value', fill: 'label', insetLeft: 0.5, insetRight: 0.5 }),
      ...(value === 'asr' ? [Plot.ruleX(rows, { fx: 'group', x: 'label', y1: 'low', y2: 'high', strokeOpacity: 0.5 })] : []),
      Plot.ruleY([0]),
    ],
  })
}

/** Points in the order of training, from pale to strong. */
export function ordered(count: number): string[] {
  const ramp = ['#c6d4e3', '#7fb0dc', '#2f7fc1', '#0b3f7a']
  return Array.from({ length: count }, (_, i) => ramp[Math.round((i * (ramp.length - 1)) / Math.max(1, count - 1))]!)
}
