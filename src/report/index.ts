/** The report room's door: a run's numbers in, one HTML page and the same numbers as JSON out. */
import { join } from 'node:path'
import { writeFileAtomic } from '../checkpoint/index.ts'
import type { RunReport } from './data.ts'
import { renderHtml } from './html.ts'

export * from './data.ts'
export { reportOfRun } from './from-run.ts'
export { renderHtml } from './html.ts'
export { schedulePlot } from './schedule-plot.ts'

/** Writes `report.html` and `report.json` into `folder`, each atomically. Returns their paths. */
export async function writeReport(folder: string, report: RunReport): Promise<{ html: string; json: string }> {
  const paths = { html: join(folder, 'report.html'), json: join(folder, 'report.json') }
  await writeFileAtomic(paths.html, renderHtml(report))
  await writeFileAtomic(paths.json, `${JSON.stringify(report, null, 1)}\n`)
  return paths
}
