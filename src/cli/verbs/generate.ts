/** `aurora generate`: continues a prompt, streamed as it is written. */
import { text as readAll } from 'node:stream/consumers'
import type { Command } from 'commander'
import { instructionPrompt } from '../../data/index.ts'
import { generateStream } from '../../eval/index.ts'
import { addModelOptions, collect, nonNegative, positive, share, wholeNumber } from '../flags.ts'
import { type ModelFlags, withModel } from '../model.ts'

interface GenerateFlags extends ModelFlags {
  prompt?: string
  instruction?: boolean
  maxTokens: number
  temperature: number
  topK: number
  topP: number
  seed: number
  stop: string[]
}

export function addGenerate(aurora: Command, signal: AbortSignal): void {
  addModelOptions(
    aurora
      .command('generate')
      .description('continue a prompt, given with --prompt or on standard input')
      .argument('<model>', "a model folder in Hugging Face's layout, or a checkpoint of a run"),
  )
    .option('-p, --prompt <text>', 'the prompt (default: standard input)')
    .option('--instruction', 'put the prompt in the instruction form that stage CAT trains')
    .option('-n, --max-tokens <n>', 'most tokens to generate', positive, 128)
    .option('-t, --temperature <t>', '0: always the most likely token', nonNegative, 0)
    .option('--top-k <k>', 'draw from the k most likely tokens; 0: all', wholeNumber, 0)
    .option('--top-p <p>', 'draw from the smallest set with this probability', share, 1)
    .option('--seed <n>', 'seed of the drawn tokens', wholeNumber, 0)
    .option('--stop <text>', 'end before this text (may be repeated)', collect, [])
    .addHelpText(
      'after',
      '\nExamples:\n  $ aurora generate runs/quickstart/model -p "def add_7(x):"\n  $ echo "Explain tides." | aurora generate ./model --instruction -t 0.7',
    )
    .action(async (folder: string, flags: GenerateFlags) => {
      const { maxTokens: maxNewTokens, temperature, topK, topP, seed, stop } = flags
      const asked = flags.prompt ?? (await readAll(process.stdin))
      const prompt = flags.instruction ? instructionPrompt(asked.trim()) : asked
      await withModel(folder, flags, async (model, tokenizer) => {
        for await (const piece of generateStream(model, tokenizer, prompt, {
          maxNewTokens,
          temperature,
          topK,
          topP,
          seed,
          stop,
          signal,
        })) {
          process.stdout.write(piece)
        }
        process.stdout.write('\n')
      })
    })
}
