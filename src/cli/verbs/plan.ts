/** `aurora plan`: what a training run would take on a machine, before any device is there. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { writeFileAtomic } from '../../checkpoint/index.ts'
import { parameterCount } from '../../models/index.ts'
import {
  calibrationTable, knownModels, machineNames, makePlan, type Plan, pipelineSchedules, searchLayouts, simulate, stageTotal, type Timeline,
} from '../../parallel/index.ts' // biome-ignore format: one door
import { schedulePlot } from '../../report/index.ts'
import { dtype, positive } from '../flags.ts'
import { layoutOf, type PlanFlags, type PlanInputs, planInputs } from '../plan-inputs.ts'
import {
  calibrationTables, daysOf, heading, memoryTable, resultLines, searchTable, timeTable, trafficTable,
} from '../plan-tables.ts' // biome-ignore format: one door
import { scheduleBlocks } from '../schedule-blocks.ts'

interface Flags extends PlanFlags {
  search?: true | number
  json?: boolean
  explain?: boolean
  picture?: string
  calibration?: boolean
}

export function addPlan(aurora: Command, signal: AbortSignal): void {
  aurora
    .command('plan')
    .description('predict memory and time of a parallel run on a machine, and draw its schedule')
    .argument('[recipe]', 'take model, batch and layout from a recipe; options win')
    .option('--model <name>', `${[...knownModels.keys()].join(', ')}, or a config.json or a folder with one`)
    .option('--machine <name>', `${machineNames.join(', ')}, cpu (this one, measured), or a .yaml or .json file`)
    .option('--devices <n>', 'devices in all (default: what the layout needs)', positive)
    .option('--tensor <n>', 'tensor-parallel size (default: 1)', positive)
    .option('--pipeline <n>', 'pipeline stages (default: 1)', positive)
    .option('--data <n>', 'data-parallel size (default: what is left)', positive)
    .option('--chunks <n>', 'model chunks a pipeline rank: interleaved 1F1B (default: 1)', positive)
    .option(
      '--layers-per-stage <list>',
      'layers of each stage, as 9,10,10,9, or balanced: the head counts (default: even)',
      split,
    )
    .option('--sequences <n>', 'sequences of a step', positive)
    .option('--length <n>', 'tokens a sequence', positive)
    .option('--micro-batch <n>', 'sequences a micro-batch (default: 1)', positive)
    .option('--checkpointing', 'recompute activations in the backward pass')
    .option('--no-sequence-parallel', 'whole activations between tensor-parallel regions')
    .option('--no-zero', 'optimizer state whole on every data-parallel rank')
    .option('--dtype <type>', 'f32 or bf16 (default: bf16)', dtype)
    .addOption(new Option('--attention <kind>', 'how attention is computed (default: fused)').choices(['fused', 'unfused']))
    .option('--tokens <n>', 'tokens of the whole run, as 435e9', amount)
    .option('--search [n]', 'rank all layouts that fit, and show the n fastest (default: 10)', positive)
    .option('--json', 'print the plan as JSON')
    .option('--explain', 'print the formula of every line')
    .option('--picture <file>', 'write the schedule as SVG')
    .option('--calibration', 'print the predictions for published runs beside what was published')
    .addHelpText(
      'after',
      `
Examples:
  $ aurora plan --model starcoderbase-15b --machine mi250x-lumi --devices 256 --tensor 4 --pipeline 4 --sequences 2048 --length 2048 --tokens 435e9
  $ aurora plan --model starcoderbase-7b --machine h100 --devices 64 --sequences 1024 --length 4096 --search
  $ aurora plan recipe.yaml --machine cpu
  $ aurora plan --calibration`,
    )
    .action(async (recipe: string | undefined, flags: Flags) => {
      if (flags.calibration) {
        const rows = calibrationTable()
        console.log(flags.json ? JSON.stringify(rows, null, 2) : calibrationTables(rows))
        return
      }
      const inputs = await planInputs(recipe, flags)
      if (flags.search) await search(inputs, flags, signal)
      else await one(inputs, flags)
    })
}

async function one(inputs: PlanInputs, { json, explain = false, picture }: Flags): Promise<void> {
  const plan = makePlan({ ...inputs, layout: layoutOf(inputs) })
  if (picture) {
    const { microBatches } = plan.layout
    const drawn = drawnMicroBatches(plan, maximumBars)
    const title = drawn === microBatches ? `${drawn} micro-batches` : `${drawn} of ${microBatches} micro-batches`
    await writeFileAtomic(picture, schedulePlot(timelineOf(plan, drawn), title))
  }
  if (json) {
    console.log(JSON.stringify(asJson(inputs, plan), null, 2))
    return
  }
  // A terminal has room for the shortest one.
  const drawn = drawnMicroBatches(plan, 0)
  const parts = [
    heading(inputs, plan),
    memoryTable(plan, explain),
    timeTable(plan, explain),
    trafficTable(plan),
    plan.layout.pipeline > 1
      ? `schedule of ${drawn === plan.layout.microBatches ? '' : `the first and last of ${plan.layout.microBatches} micro-batches: drawn with `}${drawn}\n${scheduleBlocks(timelineOf(plan, drawn))}`
      : '',
    resultLines(plan, inputs, explain),
  ]
  console.log(parts.filter(Boolean).join('\n\n'))
}

async function search(inputs: PlanInputs, { search: rows, json }: Flags, signal: AbortSignal): Promise<void> {
  const result = await searchLayouts({ ...inputs, fixed: inputs.given, signal })
  const shown = rows === true || rows === undefined ? 10 : rows
  if (json) {
    const plans = result.plans.slice(0, shown).map(plan => asJson(inputs, plan))
    console.log(JSON.stringify({ possible: result.possible, tooLarge: result.tooLarge, plans }, null, 2))
    return
  }
  console.log(searchTable(result, shown))
}

function asJson({ name, config, batch, machine, devices, dtype, attention, tokens }: PlanInputs, plan: Plan) {
  const run = tokens === undefined ? undefined : { tokens, days: daysOf(tokens, plan) }
  return { model: { name, parameters: parameterCount(config) }, machine, devices, dtype, attention, batch, ...plan, run }
}

/** Bars of a picture that a viewer still opens at once. */
const maximumBars = 8192

/** As many micro-batches as there is room for; at least two rounds of the pipeline, which show its start, its middle and its end. */
function drawnMicroBatches({ layout: { microBatches, pipeline, chunks } }: Plan, bars: number): number {
  const rounds = Math.max(2, Math.floor(bars / (2 * chunks * pipeline * pipeline)))
  return Math.min(microBatches, rounds * pipeline)
}

function timelineOf({ layout, time }: Plan, microBatches: number): Timeline {
  const { pipeline, chunks } = layout
  return simulate(pipelineSchedules({ stages: pipeline, chunks, microBatches }), {
    forward: stage => stageTotal(time.forward[stage]!),
    backward: stage => stageTotal(time.backward[stage]!),
    transfer: () => time.transfer,
  })
}

function split(text: string): number[] | 'balanced' {
  return text === 'balanced' ? text : text.split(',').map(positive)
}

function amount(text: string): number {
  const value = Number(text)
  if (!(value > 0) || !Number.isFinite(value)) throw new InvalidArgumentError('expected a number above 0.')
  return value
}
