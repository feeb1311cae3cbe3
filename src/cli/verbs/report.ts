/** `aurora report`: the report of a run, finished or still going, from what it has left in its folder. */
import { relative } from 'node:path'
import type { Command } from 'commander'
import { reportOfRun, writeReport } from '../../report/index.ts'
import { readRun } from '../../train/index.ts'
import { summary } from '../summary.ts'

export function addReport(aurora: Command): void {
  aurora
    .command('report')
    .description("write a run's report.html and report.json, and print its table")
    .argument('<run>', 'the output folder of a run')
    .option('-o, --out <folder>', 'write here (default: the run folder)')
    .addHelpText('after', '\nExamples:\n  $ aurora report runs/quickstart')
    .action(async (folder: string, { out = folder }: { out?: string }) => {
      const report = reportOfRun(await readRun(folder))
      const { html } = await writeReport(out, report)
      console.log(`${summary(report)}\n\nreport  ${relative('', html)}`)
    })
}
