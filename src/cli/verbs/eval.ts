/** `aurora eval`: held-out bits per byte and code suites for a model folder. */
import type { Command } from 'commander'
import { writeFileAtomic } from '../../checkpoint/index.ts'
import { memoryDataset, readDocuments } from '../../data/index.ts'
import { AuroraError } from '../../errors.ts'
import { bitsPerByte, type DomainBits, evaluateCode, readCodeSuite } from '../../eval/index.ts'
import type { GPTBigCode } from '../../models/index.ts'
import type { Tokenizer } from '../../tokenizer/index.ts'
import { addModelOptions, collect, nonNegative, positive, share, wholeNumber } from '../flags.ts'
import { type ModelFlags, withModel } from '../model.ts'
import { oneLine } from '../summary.ts'
import { Progress, table } from '../terminal.ts'

interface EvalFlags extends ModelFlags {
  text: string[]
  maxTokens?: number
  code?: string
  samples: number
  temperature: number
  topP: number
  seed: number
  allowCodeExecution?: boolean
  out?: string
}

export function addEval(aurora: Command, signal: AbortSignal): void {
  addModelOptions(
    aurora
      .command('eval')
      .description('measure bits per byte on texts, and pass@k on a code suite')
      .argument('<model>', 'a model folder or a checkpoint of a run'),
  )
    .option('--text <name=glob>', 'texts of a domain, as fi=corpus/fi/*.jsonl.gz (may be repeated)', collect, [])
    .option('--max-tokens <n>', 'at most this many tokens a domain', positive)
    .option('--code <file>', "a code suite in HumanEval's JSONL form")
    .option('--samples <n>', 'completions drawn a problem, for pass@k', wholeNumber, 0)
    .option('-t, --temperature <t>', 'of the drawn completions', nonNegative, 0.8)
    .option('--top-p <p>', 'of the drawn completions', share, 0.95)
    .option('--seed <n>', 'seed of the drawn completions', wholeNumber, 0)
    .option('--allow-code-execution', "execute the model's completions in a limited process")
    .option('-o, --out <file>', 'write the whole result as JSON')
    .addHelpText(
      'after',
      "\nExamples:\n  $ aurora eval ./model --text 'fi=corpus/fi/*.jsonl.gz' --text 'code=src/**/*.py'\n  $ aurora eval ./model --code HumanEval.jsonl.gz --samples 20 --allow-code-execution",
    )
    .action(async (folder: string, flags: EvalFlags) => {
      if (flags.text.length === 0 && !flags.code) {
        throw new AuroraError({
          code: 'ERR_INVALID_ARGUMENT',
          message: 'nothing to measure',
          expected: '--text or --code',
          found: 'neither',
        })
      }
      const result = await withModel(folder, flags, async (model, tokenizer) => ({
        bitsPerByte: await measureTexts(model, tokenizer, flags, signal),
        code: flags.code && (await measureCode(model, tokenizer, flags, signal)),
      }))
      if (flags.out) await writeFileAtomic(flags.out, `${JSON.stringify(result, null, 1)}\n`)
    })
}

async function measureTexts(
  model: GPTBigCode,
  tokenizer: Tokenizer,
  flags: EvalFlags,
  signal: AbortSignal,
): Promise<Record<string, DomainBits>> {
  const progress = new Progress()
  const results: Record<string, DomainBits> = {}
  for (const text of flags.text) {
    const [, name, glob] = /^([^=]+)=(.+)$/.exec(text) ?? []
    if (!name || !glob) {
      throw new AuroraError({ code: 'ERR_INVALID_ARGUMENT', message: 'bad --text', expected: 'name=glob', found: text })
    }
    const documents: Int32Array[] = []
    let tokens = 0
    for await (const document of readDocuments(glob)) {
      signal.throwIfAborted()
      const ids = await tokenizer.encode(document.text, { specialTokens: 'text' })
      documents.push(withEnd(ids, tokenizer.eos))
      tokens += ids.length
      if (flags.maxTokens !== undefined && tokens >= flags.maxTokens) break
    }
    results[name] = await bitsPerByte(model, tokenizer, memoryDataset(documents, name), {
      maxTokens: flags.maxTokens,
      signal,
      onProgress: done => progress.update(`bits per byte, ${name}`, done),
    })
  }
  progress.clear()
  const rows = Object.entries(results).map(([name, { bitsPerByte: bits, lossPerToken, documents, tokens }]) => [
    name,
    bits.value.toFixed(4),
    `${bits.low.toFixed(3)}–${bits.high.toFixed(3)}`,
    lossPerToken.toFixed(4),
    documents,
    tokens,
  ])
  if (rows.length > 0) console.log(table(['domain', 'bits per byte', '95 %', 'loss a token', 'documents', 'tokens'], rows))
  return results
}

async function measureCode(model: GPTBigCode, tokenizer: Tokenizer, flags: EvalFlags, signal: AbortSignal) {
  const progress = new Progress()
  const { samples, temperature, topP, seed } = flags
  const result = await evaluateCode(model, tokenizer, {
    suite: await readCodeSuite(flags.code!),
    allowCodeExecution: flags.allowCodeExecution === true,
    samples,
    temperature,
    topP,
    seed,
    signal,
    onProgress: done => progress.update('code suite', done),
  })
  progress.clear()
  console.log(oneLine({ name: 'code', result }))
  return result
}

/** Spreading a long document into arguments would overflow the stack. */
function withEnd(ids: Int32Array, eos: number): Int32Array {
  const document = new Int32Array(ids.length + 1)
  document.set(ids)
  document[ids.length] = eos
  return document
}
