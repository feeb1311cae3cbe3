/** `aurora run recipe.yaml`: the whole pipeline of a recipe, followed on the terminal, closed by a report. */
import { readFile } from 'node:fs/promises'
import { relative } from 'node:path'
import type { Command } from 'commander'
import colours from 'picocolors'
import { worldFromEnvironment } from '../../parallel/index.ts'
import { reportOfRun, writeReport } from '../../report/index.ts'
import { type CheckedRecipe, loadRecipe, type RunProgress, readRun, runRecipe } from '../../train/index.ts'
import { evaluatorsOf } from '../evaluators.ts'
import { positive } from '../flags.ts'
import { oneLine, summary } from '../summary.ts'
import { count, duration, Progress } from '../terminal.ts'

interface RunFlags {
  resume?: boolean
  overwrite?: boolean
  allowCodeExecution?: boolean
  maxSteps?: number
  output?: string
}

export function addRun(aurora: Command, signal: AbortSignal): void {
  aurora
    .command('run')
    .description('run a recipe: train its stages, evaluate, red-team, write the report')
    .argument('<recipe>', 'a recipe (.yaml, .yml or .json)')
    .option('--resume', 'go on from the last checkpoint')
    .option('--overwrite', 'remove the results of an earlier run in the output folder')
    .option('--allow-code-execution', "let code suites execute the model's completions in a limited process")
    .option('--max-steps <n>', 'at most n steps a stage: to try a recipe out', positive)
    .option('--output <folder>', "write here instead of the recipe's output folder")
    .addHelpText(
      'after',
      '\nCtrl-C ends the run after a checkpoint; --resume goes on from it to the same result, bit for bit.\n\nExamples:\n  $ aurora run recipe.yaml\n  $ aurora run recipe.yaml --resume\n  $ aurora run recipe.yaml --max-steps 5 --output runs/trial',
    )
    .action(async (path: string, flags: RunFlags) => {
      const loaded = await loadRecipe(path)
      const recipe: CheckedRecipe = {
        ...loaded,
        output: flags.output ?? loaded.output,
        stages: loaded.stages.map(stage => shorten(stage, loaded, flags.maxSteps)),
      }
      const evaluators = await evaluatorsOf(recipe.evaluations, {
        allowCodeExecution: flags.allowCodeExecution === true,
        seed: recipe.seed,
      })
      const follow = new Follower()
      const result = await runRecipe(recipe, {
        evaluators,
        signal,
        resume: flags.resume,
        overwrite: flags.overwrite,
        onProgress: event => follow.on(event),
      })
      follow.close()
      if ((worldFromEnvironment()?.rank ?? 0) > 0) return
      if (result.reason === 'aborted') {
        console.error(
          `stopped after a checkpoint at step ${result.step} of ${result.totalSteps}; go on with: aurora run ${path} --resume`,
        )
        return
      }
      const report = reportOfRun(await readRun(result.folder), await readFile(path, 'utf8'))
      console.log(`\n${summary(report)}\n`)
      if (recipe.outputs.report) {
        const { html } = await writeReport(result.folder, report)
        console.log(`report  ${relative('', html)}`)
      }
      console.log(`model   ${relative('', result.files.model)}`)
    })
}

function shorten(
  stage: CheckedRecipe['stages'][number],
  { batch }: CheckedRecipe,
  most: number | undefined,
): CheckedRecipe['stages'][number] {
  if (most === undefined) return stage
  const steps = stage.steps ?? Math.ceil(stage.tokens! / (batch.sequences * (stage.length ?? batch.length)))
  return { ...stage, tokens: undefined, steps: Math.min(steps, most) }
}

/** Shows a run's events: a line for each stage, evaluation and checkpoint of note, and one line of progress. */
class Follower {
  readonly #progress = new Progress()
  #speed = 0

  on(event: RunProgress): void {
    switch (event.kind) {
      case 'prepare':
        this.#progress.update(`reading ${event.corpus}`, undefined, `${count(event.documents)} documents`)
        break
      case 'start':
        if (event.resumed) this.#progress.line(colours.dim(`going on after step ${event.step} of ${event.totalSteps}`))
        break
      case 'stage':
        this.#progress.line(`${colours.bold(event.name.toUpperCase())}  ${event.steps} steps: ${shares(event.mixture)}`)
        break
      case 'step': {
        const { metrics, totalSteps } = event
        this.#speed = this.#speed === 0 ? metrics.seconds : 0.9 * this.#speed + 0.1 * metrics.seconds
        const left = duration((totalSteps - metrics.step) * this.#speed)
        const note = metrics.skipped ? colours.yellow(' skipped: not finite') : ''
        this.#progress.update(
          metrics.stage,
          metrics.step / totalSteps,
          `step ${metrics.step}/${totalSteps}  loss ${metrics.loss.toFixed(3)}  ${count(Math.round(metrics.tokensPerSecond))} tokens/s  ${left} left${note}`,
        )
        break
      }
      case 'evaluate':
        this.#progress.update(`evaluating ${event.name}`, event.done)
        break
      case 'evaluated':
        this.#progress.line(
          `  ${event.record.point.label.padEnd(8)} ${oneLine(event.record)} ${colours.dim(`(${duration(event.record.seconds)})`)}`,
        )
        break
      case 'checkpoint':
      case 'end':
        break
    }
  }

  close(): void {
    this.#progress.clear()
  }
}

/** A stage's mixture in words, largest share first. */
function shares(mixture: Record<string, unknown>): string {
  const weights = Object.entries((mixture.weights ?? mixture) as Record<string, number>).filter(
    ([, weight]) => typeof weight === 'number',
  )
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0)
  return weights
    .sort((a, b) => b[1] - a[1])
    .map(([domain, weight]) => `${domain} ${Math.round((100 * weight) / total)} %`)
    .join(', ')
}
