/** What `aurora plan` plans: from options, from a recipe, or from both, where options win. */
import { readFile, stat } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { basename, join } from 'node:path'
import { fileError } from '../checkpoint/index.ts'
import { AuroraError } from '../errors.ts'
import { completeConfig, configFromHuggingFace, type GPTBigCodeConfig } from '../models/index.ts'
import {type BatchShape, 
  balancedLayers, cpuMachine, findMachine, knownModels, type Layout, type Machine, machineNames,
} from '../parallel/index.ts' // biome-ignore format: one door
import { Tokenizer } from '../tokenizer/index.ts'
import { type CheckedRecipe, loadRecipe, measurePeak, measureRate } from '../train/index.ts'

export interface PlanFlags {
  model?: string
  machine?: string
  devices?: number
  tensor?: number
  pipeline?: number
  data?: number
  chunks?: number
  layersPerStage?: number[] | 'balanced'
  sequences?: number
  length?: number
  microBatch?: number
  checkpointing?: boolean
  sequenceParallel?: boolean
  zero?: boolean
  dtype?: 'f32' | 'bf16'
  attention?: 'fused' | 'unfused'
  tokens?: number
}

export interface PlanInputs {
  name: string
  config: GPTBigCodeConfig
  batch: BatchShape
  machine: Machine
  devices: number
  /** What was asked for; the rest is for defaults or for the search to choose. */
  given: Partial<Layout>
  dtype: 'f32' | 'bf16'
  attention: 'fused' | 'unfused'
  stochasticRounding: boolean
  /** Tokens of the run, when known. */
  tokens?: number
}

/** A file that says more is no model's. */
const mostLayers = 10_000

/** @param recipePath a recipe, from which everything is taken that no option says otherwise */
export async function planInputs(recipePath: string | undefined, flags: PlanFlags): Promise<PlanInputs> {
  const recipe = recipePath === undefined ? undefined : await loadRecipe(recipePath)
  const { name, config } = await modelOf(flags.model, recipe)
  const batch = {
    sequences: flags.sequences ?? recipe?.batch.sequences ?? missing('--sequences', 'sequences of a step'),
    length: flags.length ?? recipe?.batch.length ?? missing('--length', 'tokens a sequence'),
  }
  const given: Partial<Layout> = defined({
    ...(recipe && pick(recipe.parallel, ['tensor', 'pipeline', 'data', 'chunks', 'sequenceParallel', 'zero', 'layersPerStage'])),
    microBatch: flags.microBatch ?? recipe?.batch.microBatch,
    // A flag can switch checkpointing on; without one a recipe says which, and a search is free.
    checkpointing: flags.checkpointing ?? recipe?.model.checkpointing,
    // Commander sets these to true when the option --no-… is not given.
    ...(flags.zero === false ? { zero: false } : {}),
    ...(flags.sequenceParallel === false ? { sequenceParallel: false } : {}),
    ...pick(flags, ['tensor', 'pipeline', 'data', 'chunks']),
  })
  if (flags.layersPerStage === 'balanced')
    given.layersPerStage = balancedLayers(config, (given.pipeline ?? 1) * (given.chunks ?? 1))
  else if (flags.layersPerStage) given.layersPerStage = flags.layersPerStage
  const { tensor = 1, pipeline = 1, data } = given
  const devices = flags.devices ?? tensor * pipeline * (data ?? 1)
  const machineName = flags.machine ?? (recipe?.model.device === 'cpu' ? 'cpu' : undefined)
  if (machineName === undefined) missing('--machine', `one of ${machineNames.join(', ')}, cpu, or a .yaml or .json file`)
  return {
    name,
    config,
    batch,
    machine: machineName === 'cpu' ? await thisMachine(devices) : await findMachine(machineName),
    devices,
    given,
    dtype: flags.dtype ?? recipe?.model.dtype ?? 'bf16',
    attention: flags.attention ?? 'fused',
    stochasticRounding: recipe?.optimizer.stochasticRounding ?? false,
    tokens: flags.tokens ?? (recipe && tokensOf(recipe)),
  }
}

/** Fills in what was not asked for: all devices that tensor and pipeline leave are data-parallel. */
export function layoutOf({ given, devices }: PlanInputs): Layout {
  const { tensor = 1, pipeline = 1, chunks = 1 } = given
  const model = tensor * pipeline
  const data = given.data ?? devices / model
  if (!Number.isInteger(data) || model * data !== devices) {
    throw new AuroraError({
      code: 'ERR_LAYOUT',
      message: 'the layout does not use all devices',
      expected: `tensor × pipeline × data = ${devices}`,
      found: `tensor ${tensor} × pipeline ${pipeline}${given.data === undefined ? '' : ` × data ${given.data}`} = ${model * (given.data ?? 1)}`,
      hint: `choose sizes whose product divides ${devices}, or let --search choose`,
    })
  }
  return {
    tensor,
    pipeline,
    data,
    chunks,
    sequenceParallel: given.sequenceParallel ?? tensor > 1,
    zero: given.zero ?? data > 1,
    checkpointing: given.checkpointing ?? false,
    microBatch: given.microBatch ?? 1,
    layersPerStage: given.layersPerStage,
  }
}

async function modelOf(
  flag: string | undefined,
  recipe: CheckedRecipe | undefined,
): Promise<{ name: string; config: GPTBigCodeConfig }> {
  if (flag !== undefined) return namedModel(flag)
  if (!recipe) missing('--model', `one of ${[...knownModels.keys()].join(', ')}, or a config.json`)
  const { create, from } = recipe.model
  if (from !== undefined) return namedModel(from)
  const { train, file } = recipe.tokenizer!
  const vocabSize = train ? train.vocabSize : (await Tokenizer.fromFile(file!)).vocabSize
  return { name: recipe.name, config: completeConfig({ ...create, vocabSize }, 'model.create') }
}

async function namedModel(nameOrPath: string): Promise<{ name: string; config: GPTBigCodeConfig }> {
  const config = knownModels.get(nameOrPath)
  if (config) return { name: nameOrPath, config }
  const isFolder = await stat(nameOrPath).then(
    found => found.isDirectory(),
    () => false,
  )
  if (!isFolder && !nameOrPath.endsWith('.json')) {
    throw new AuroraError({
      code: 'ERR_CONFIG',
      message: 'no model of this name is known',
      expected: `${[...knownModels.keys()].join(', ')}, a config.json, or a folder with one`,
      found: nameOrPath,
    })
  }
  const path = isFolder ? join(nameOrPath, 'config.json') : nameOrPath
  const text = await readFile(path, 'utf8').catch(error => {
    throw fileError('read', path, error)
  })
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new AuroraError({ code: 'ERR_CONFIG', message: `${path} is not JSON`, found: (cause as Error).message, cause })
  }
  const read = configFromHuggingFace(json, path)
  if (read.nLayer <= mostLayers) return { name: isFolder ? basename(nameOrPath) : path, config: read }
  throw new AuroraError({
    code: 'ERR_CONFIG',
    message: `${path}: n_layer`,
    expected: `at most ${mostLayers}`,
    found: String(read.nLayer),
  })
}

/** This processor as it is now, measured in about a second. */
async function thisMachine(ranks: number): Promise<Machine> {
  return cpuMachine(
    {
      peak: { f32: await measurePeak('cpu', 'f32'), bf16: await measurePeak('cpu', 'bf16') },
      memoryBandwidth: await measureRate('cpu', 'copy'),
      memory: totalmem(),
    },
    ranks,
  )
}

function tokensOf({ stages, batch }: CheckedRecipe): number {
  const each = stages.map(stage => stage.tokens ?? stage.steps! * batch.sequences * (stage.length ?? batch.length))
  return each.reduce((sum, tokens) => sum + tokens, 0)
}

function missing(option: string, what: string): never {
  throw new AuroraError({
    code: 'ERR_INVALID_ARGUMENT',
    message: `${option} is needed`,
    expected: what,
    found: 'nothing',
    hint: 'give it, or a recipe',
  })
}

function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}

function pick<T extends object, K extends keyof T>(value: T, keys: readonly K[]): Partial<Pick<T, K>> {
  return Object.fromEntries(keys.filter(key => value[key] !== undefined).map(key => [key, value[key]])) as Partial<Pick<T, K>>
}
