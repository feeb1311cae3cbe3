/** `aurora export`: a checkpoint or model folder to a clean folder in Hugging Face's layout. */
import { existsSync } from 'node:fs'
import { type Command, InvalidArgumentError } from 'commander'
import { exportSharded, isSharded } from '../../checkpoint/index.ts'
import { AuroraError } from '../../errors.ts'
import { Tokenizer } from '../../tokenizer/index.ts'
import { addModelOptions } from '../flags.ts'
import { type ModelFlags, withModel } from '../model.ts'
import { bytes, count, Progress } from '../terminal.ts'

interface ExportFlags extends ModelFlags {
  maxShard: number
}

export function addExport(aurora: Command, signal: AbortSignal): void {
  addModelOptions(
    aurora
      .command('export')
      .description("write a model as config.json, safetensors and tokenizer, in Hugging Face's layout")
      .argument('<model>', 'a model folder or a checkpoint of a run')
      .argument('<out>', 'a new folder'),
  )
    .option('--max-shard <size>', 'largest file of weights, as in 500MB or 5GB', size, 5e9)
    .addHelpText(
      'after',
      '\nThe weights are written in --dtype.\n\nExamples:\n  $ aurora export runs/aurora/checkpoints/step-00090000 ./aurora-m --dtype bf16',
    )
    .action(async (folder: string, out: string, flags: ExportFlags) => {
      if (existsSync(out)) {
        throw new AuroraError({
          code: 'ERR_EXISTS',
          message: `${out} exists`,
          expected: 'a new folder',
          hint: 'remove it or choose another',
        })
      }
      if (isSharded(folder)) return exportShards(folder, out, flags, signal)
      await withModel(folder, flags, async (model, tokenizer) => {
        await model.savePretrained(out, { tokenizer, maxShardBytes: flags.maxShard })
        console.log(`${out}: ${count(model.countParameters())} parameters in ${model.dtype}`)
      })
    })
}

/** A checkpoint of many ranks, which may be larger than this machine's memory. */
async function exportShards(folder: string, out: string, flags: ExportFlags, signal: AbortSignal): Promise<void> {
  const { dtype = 'f32' } = flags
  const tokenizer = await Tokenizer.fromFile(flags.tokenizer ?? folder)
  const progress = new Progress()
  const parameters = await exportSharded(folder, out, {
    dtype,
    maxShardBytes: flags.maxShard,
    tokenizer,
    signal,
    onProgress: ({ bytes: done, totalBytes }) => progress.update('exporting', done / totalBytes, bytes(totalBytes)),
  }).finally(() => progress.clear())
  console.log(`${out}: ${count(parameters)} parameters in ${dtype}`)
}

function size(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(MB|GB)?$/i.exec(text)
  const value = match ? Number(match[1]) * { mb: 1e6, gb: 1e9, '': 1 }[(match[2] ?? '').toLowerCase() as 'mb' | 'gb' | '']! : 0
  if (!(value >= 1e6)) throw new InvalidArgumentError('expected a size of at least 1MB, as in 500MB or 5GB.')
  return value
}
