/** A pipeline's schedule in characters. */
import colours from 'picocolors'
import type { Timeline, TimelineStep } from '../parallel/index.ts'

/** By kind, for even and odd chunks: told apart without colours too. */
const blocks = { forward: ['█', '▓'], backward: ['▒', '░'] } as const

/** One row a rank, time to the right, at most `width` columns. */
export function scheduleBlocks({ steps, total, ranks }: Timeline, width = 100): string {
  const label = `rank ${ranks - 1}  `.length
  const cells = width - label
  const rows = steps.map((row, rank) => {
    const name = `rank ${String(rank).padStart(label - 7)}  `
    let next = 0
    const line = Array.from({ length: cells }, (_, cell) => {
      const time = ((cell + 0.5) / cells) * total
      while (next < row.length && row[next]!.end <= time) next++
      const step = row[next]
      return step && step.start <= time ? paint(step) : colours.dim('·')
    })
    return name + line.join('')
  })
  const key = [paint({ kind: 'forward', chunk: 0 }), ' forward   ', paint({ kind: 'backward', chunk: 0 }), ' backward   ']
  const chunked = steps.flat().some(({ chunk }) => chunk % 2 === 1)
  const odd = chunked ? [paint({ kind: 'forward', chunk: 1 }), paint({ kind: 'backward', chunk: 1 }), ' odd chunks   '] : []
  return [...rows, [' '.repeat(label), ...key, ...odd, colours.dim('·'), ' waiting'].join('')].join('\n')
}

function paint({ kind, chunk }: Pick<TimelineStep, 'kind' | 'chunk'>): string {
  const block = blocks[kind][chunk % 2]!
  return kind === 'forward' ? colours.blue(block) : colours.green(block)
}
