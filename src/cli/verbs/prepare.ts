/** `aurora prepare`: texts to a Megatron indexed dataset. */
import type { Command } from 'commander'
import colours from 'picocolors'
import { prepareCorpus } from '../../data/index.ts'
import { Tokenizer } from '../../tokenizer/index.ts'
import { collect, positive, share } from '../flags.ts'
import { bytes, count, Progress } from '../terminal.ts'

interface PrepareFlags {
  tokenizer: string
  out: string
  field: string
  workers?: number
  maxSymbols?: number
  ignore: string[]
  skipBad?: boolean
}

export function addPrepare(aurora: Command, signal: AbortSignal): void {
  aurora
    .command('prepare')
    .description('tokenise texts into an indexed dataset (.bin and .idx, as Megatron reads them)')
    .argument(
      '<sources...>',
      'files, folders or globs: .jsonl and .jsonl.gz hold a document a line, any other file is one document',
    )
    .requiredOption('--tokenizer <path>', 'a tokenizer.json or a folder with one')
    .requiredOption('-o, --out <prefix>', 'writes <prefix>.bin and <prefix>.idx')
    .option('--field <name>', 'field of a JSON line that holds the text', 'text')
    .option('--workers <n>', 'worker threads (default: the cores, at most 8)', positive)
    .option('--max-symbols <share>', 'drop texts with a larger share of digits and symbols', share)
    .option('--ignore <glob>', 'leave these files out (may be repeated)', collect, [])
    .option('--skip-bad', 'report bad lines and files and go on; otherwise the first one ends the work')
    .addHelpText(
      'after',
      "\nExamples:\n  $ aurora prepare 'corpus/fi/*.jsonl.gz' --tokenizer starcoder/tokenizer.json -o data/fi\n  $ aurora prepare 'src/**/*.py' --tokenizer ./tokenizer.json -o data/code --workers 4",
    )
    .action(async (sources: string[], flags: PrepareFlags) => {
      const progress = new Progress()
      const done = await prepareCorpus({
        sources,
        tokenizer: await Tokenizer.fromFile(flags.tokenizer),
        out: flags.out,
        field: flags.field,
        workers: flags.workers,
        maxSymbolShare: flags.maxSymbols,
        ignore: flags.ignore,
        signal,
        onProgress: ({ documents, tokens, bytes: read }) =>
          progress.update('tokenising', undefined, `${count(documents)} documents  ${count(tokens)} tokens  ${bytes(read)}`),
        ...(flags.skipBad && { onProblem: problem => progress.line(`${colours.yellow('left out')} ${problem.message}`) }),
      })
      progress.clear()
      const left = [
        done.dropped && `${done.dropped} dropped by the filter`,
        done.problems && `${done.problems} bad ones left out`,
      ].filter(Boolean)
      console.log(
        `${flags.out}.bin, .idx: ${done.documents} documents, ${done.tokens} tokens from ${bytes(done.bytes)} of text${left.length ? ` (${left.join(', ')})` : ''}`,
      )
    })
}
