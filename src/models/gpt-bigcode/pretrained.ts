/** Folders in Hugging Face's layout: config.json, model.safetensors or shards with their index, tokenizer files. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  atomicFolder,
  fileError,
  openPretrained,
  refuseMegatron,
  type TensorSource,
  type TensorToWrite,
  writeFileAtomic,
  writeSharded,
} from '../../checkpoint/index.ts'
import { AuroraError } from '../../errors.ts'
import type { Parameter } from '../../nn/index.ts'
import { add, cast, l2Norm, scale } from '../../ops/index.ts'
import { emptyLike, scope, type Tensor } from '../../tensor/index.ts'
import { configFromHuggingFace, configToHuggingFace, type GPTBigCodeConfig } from './config.ts'
import type { GPTBigCode, GPTBigCodeOptions } from './model.ts'

export type PretrainedOptions = GPTBigCodeOptions

export interface SaveOptions {
  /** Of the weights in the file; default: the model's. */
  dtype?: 'f32' | 'bf16'
  /** Larger models are cut into shards of at most this many bytes; default 5 GB. */
  maxShardBytes?: number
  /** Its files are written beside the weights. */
  tokenizer?: { save(folder: string): Promise<unknown> }
}

/** Causal mask buffers that older files hold: not weights. */
const maskBuffer = /\.attn\.(bias|masked_bias)$/
export const headName = 'lm_head.weight'

export async function loadPretrained(folder: string, construct: (config: GPTBigCodeConfig) => GPTBigCode): Promise<GPTBigCode> {
  const config = await pretrainedConfig(folder)
  const weights = await openPretrained(folder)
  let model: GPTBigCode | undefined
  try {
    model = construct(config)
    const stored = storedNames(weights, model.parameters.parameters, folder)
    for (const [parameter, name] of stored) await weights.readInto(name, parameter)
    await expectTiedHead(weights, model.embedding.tokens, head => weights.readInto(headName, head), folder)
    const used = new Set([...stored.values(), headName])
    model.unusedTensors = weights.names.filter(name => !used.has(name) && !maskBuffer.test(name))
    if (model.unusedTensors.length > 0) {
      const listed = model.unusedTensors.slice(0, 5).join(', ')
      process.emitWarning(
        `${folder}: ${model.unusedTensors.length} tensors are no parameters of GPTBigCode and were left out: ${listed}`,
        {
          code: 'AURORA_UNUSED_TENSORS',
        },
      )
    }
    // What was enqueued is part of loading: a failure belongs here.
    await model.device.synchronize()
    return model
  } catch (error) {
    model?.dispose()
    throw error
  } finally {
    await weights.close()
  }
}

export async function savePretrained(model: GPTBigCode, folder: string, options: SaveOptions = {}): Promise<void> {
  const { dtype = model.dtype, maxShardBytes = 5e9, tokenizer } = options
  const config = configToHuggingFace(model.config, dtype === 'bf16' ? 'bfloat16' : 'float32')
  const write = async (target: string) => {
    await writeSharded(
      target,
      model.parameters.parameters.map(parameter => toWrite(parameter, dtype)),
      { maxShardBytes },
    )
    await tokenizer?.save(target)
    await writeFileAtomic(join(target, 'config.json'), `${JSON.stringify(config, undefined, 2)}\n`)
  }
  // A folder that exists may hold files of the user's: there each file is replaced by itself.
  await (existsSync(folder) ? write(folder) : atomicFolder(folder, write))
}

function toWrite(parameter: Parameter, dtype: 'f32' | 'bf16'): TensorToWrite {
  if (parameter.dtype === dtype) return { name: parameter.name, data: parameter }
  const converted = () => scope(() => cast(parameter, dtype).readBytes())
  return { name: parameter.name, dtype: dtype === 'bf16' ? 'BF16' : 'F32', shape: parameter.shape, data: converted }
}

/** The configuration in a model's folder. */
export async function pretrainedConfig(folder: string): Promise<GPTBigCodeConfig> {
  await refuseMegatron(folder)
  const path = join(folder, 'config.json')
  let json: unknown
  try {
    json = JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw fileError('read', path, cause)
    throw new AuroraError({
      code: 'ERR_CONFIG',
      message: `${path} is not JSON`,
      expected: 'a JSON object',
      found: cause.message,
      cause,
    })
  }
  return configFromHuggingFace(json, path)
}

/** The name in the file of each parameter, all present and of the right shape; a bare GPTBigCodeModel's names lack the prefix. */
export function storedNames<P extends { name: string; shape: readonly number[] }>(
  weights: TensorSource,
  parameters: readonly P[],
  folder: string,
): Map<P, string> {
  const present = new Set(weights.names)
  const names = new Map<P, string>()
  for (const parameter of parameters) {
    const bare = parameter.name.replace(/^transformer\./, '')
    const name = present.has(parameter.name) ? parameter.name : present.has(bare) ? bare : undefined
    if (name === undefined) {
      throw new AuroraError({
        code: 'ERR_CHECKPOINT_MISSING',
        message: `${folder} lacks the weights of ${parameter.name}`,
        expected: `${parameters.length} tensors of GPTBigCode`,
        found: `${present.size} tensors: ${[...present].slice(0, 5).join(', ')}${present.size > 5 ? ', …' : ''}`,
      })
    }
    const { shape } = weights.info(name)
    if (shape.length !== parameter.shape.length || shape.some((size, axis) => size !== parameter.shape[axis])) {
      throw new AuroraError({
        code: 'ERR_CHECKPOINT_SHAPE',
        message: `${folder}: tensor "${name}" does not fit config.json`,
        expected: `[${parameter.shape.join(', ')}]`,
        found: `[${shape.join(', ')}]`,
      })
    }
    names.set(parameter, name)
  }
  return names
}

/** GPTBigCode's head is the token embedding; a file may store it twice, but not two different ones. */
export async function expectTiedHead(
  weights: TensorSource,
  table: Tensor,
  readHead: (into: Tensor) => Promise<void>,
  folder: string,
): Promise<void> {
  if (!weights.has(headName)) return
  const difference = await scope(async () => {
    const head = emptyLike(table)
    await readHead(head)
    return l2Norm(cast(add(head, scale(table, -1)), 'f32')).item()
  })
  if (difference === 0) return
  throw new AuroraError({
    code: 'ERR_NOT_SUPPORTED',
    message: `${folder}: the output head is not tied to the token embedding`,
    expected: `${headName} equal to transformer.wte.weight, or absent`,
    found: `tensors that differ by ${difference} (L2 norm)`,
    hint: 'GPTBigCode models share the two; this checkpoint is of another architecture or was changed',
  })
}
