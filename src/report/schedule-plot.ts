/** A pipeline's schedule as a picture of its own. */
import * as Plot from '@observablehq/plot'
import type { Timeline } from '../parallel/index.ts'
import { draw } from './plots.ts'

const colours = { forward: ['#2f6fb5', '#74a9dd'], backward: ['#3a8f5c', '#86c79f'] } as const

/** One row a rank, seconds to the right, forward blue and backward green, odd chunks paler. A whole SVG document, so that it can stand alone. */
export function schedulePlot({ steps, total, ranks, bubble }: Timeline, title: string): string {
  const all = steps.flat()
  const chunks = 1 + Math.max(...all.map(({ chunk }) => chunk))
  const narrowest = Math.min(...all.map(({ start, end }) => end - start))
  const height = 24 * ranks + 90
  const body = draw({
    width: 980,
    height,
    marginTop: 40,
    x: { label: 'time, s', labelAnchor: 'center', domain: [0, total] },
    y: { label: 'pipeline rank', domain: Array.from({ length: ranks }, (_, rank) => rank), padding: 0.12, type: 'band' },
    marks: [
      Plot.barX(all, {
        x1: 'start',
        x2: 'end',
        y: 'rank',
        fill: ({ kind, chunk }: (typeof all)[number]) => colours[kind][chunk % 2],
        stroke: 'white',
        strokeWidth: 0.5,
        title: ({ kind, microBatch, chunk, start, end }: (typeof all)[number]) =>
          `${kind} of micro-batch ${microBatch + 1}${chunks > 1 ? `, chunk ${chunk + 1}` : ''}: ${start.toPrecision(4)} – ${end.toPrecision(4)} s`,
      }),
      // Numbers where they fit.
      ...(narrowest / total > 0.012
        ? [
            Plot.text(all, {
              x: ({ start, end }: (typeof all)[number]) => (start + end) / 2,
              y: 'rank',
              text: ({ microBatch }: (typeof all)[number]) => String(microBatch + 1),
              fill: 'white',
              fontSize: 10,
            }),
          ]
        : []),
      Plot.text([`${title}; forward blue, backward green; waiting ${(100 * bubble).toFixed(1)} % of the working time`], {
        frameAnchor: 'top-left',
        dy: -26,
        text: (line: string) => line,
      }),
    ],
  })
  // A document of its own has no page to take colours from.
  const style = 'background: white; color: #1c2430; font-family: system-ui, sans-serif; font-size: 12px'
  return body
    .replace(/^<svg( xmlns="[^"]*")?/, '<svg xmlns="http://www.w3.org/2000/svg"')
    .replace(/ style="background: ?transparent[^"]*"/, ` style="${style}"`)
}
