/** `aurora redteam`: a red-team set put to a model, its answers judged; CARP and attack success by language and category. */
import type { Command } from 'commander'
import { writeFileAtomic } from '../../checkpoint/index.ts'
import {
  type RedTeamResult,
  readRedTeamSet,
  readRefusalPhrases,
  redTeam,
  refusalRule,
  type SafetyScore,
} from '../../safety/index.ts'
import { addModelOptions, nonNegative, positive, wholeNumber } from '../flags.ts'
import { type ModelFlags, withModel } from '../model.ts'
import { Progress, table } from '../terminal.ts'

interface RedTeamFlags extends ModelFlags {
  set: string
  refusals?: string
  maxTokens: number
  temperature: number
  seed: number
  out?: string
}

export function addRedteam(aurora: Command, signal: AbortSignal): void {
  addModelOptions(
    aurora
      .command('redteam')
      .description('put a red-team set to a model and judge its answers')
      .argument('<model>', 'a model folder or a checkpoint of a run'),
  )
    .requiredOption('--set <file>', 'JSONL of prompts: {id, prompt, category, lang, kind: harmful or benign}')
    .option('--refusals <file>', 'JSON of refusal phrases by language, for the rule judge (default: built in)')
    .option('-n, --max-tokens <n>', 'longest answer', positive, 128)
    .option('-t, --temperature <t>', '0: greedy answers', nonNegative, 0)
    .option('--seed <n>', 'seed of drawn answers', wholeNumber, 0)
    .option('-o, --out <file>', 'write the whole result as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  $ aurora redteam runs/quickstart/model --set examples/quickstart/data/safety/redteam.jsonl -n 48',
    )
    .action(async (folder: string, flags: RedTeamFlags) => {
      const set = await readRedTeamSet(flags.set)
      const judge = refusalRule(flags.refusals ? { phrases: await readRefusalPhrases(flags.refusals) } : {})
      const progress = new Progress()
      const { maxTokens, temperature, seed } = flags
      const result = await withModel(folder, flags, (model, tokenizer) =>
        redTeam(model, tokenizer, {
          set,
          judge,
          maxTokens,
          temperature,
          seed,
          signal,
          onProgress: done => progress.update('answering', done),
        }),
      )
      progress.clear()
      console.log(tables(result))
      if (flags.out) await writeFileAtomic(flags.out, `${JSON.stringify(result, null, 1)}\n`)
    })
}

function tables({ all, byLanguage, byCategory, overRefusal, judge }: RedTeamResult): string {
  const row = (name: string, { prompts, carp, asr, refusals }: SafetyScore) => [
    name,
    prompts,
    carp.value.toFixed(1),
    `${(100 * asr.value).toFixed(1)} % (${(100 * asr.low).toFixed(0)}–${(100 * asr.high).toFixed(0)})`,
    refusals,
  ]
  const head = ['prompts', 'CARP', 'attack success (95 %)', 'refused']
  const rows = (groups: Record<string, SafetyScore>) =>
    Object.entries(groups).map(([name, score]) => row(name.replaceAll('_', ' '), score))
  return [
    table(['language', ...head], [...rows(byLanguage), row('all', all)]),
    '',
    table(['category', ...head], rows(byCategory)),
    '',
    overRefusal.all
      ? `benign prompts refused: ${(100 * overRefusal.all.value).toFixed(1)} % of ${overRefusal.prompts}`
      : 'no benign prompts in the set',
    `judge: ${judge.rule ?? judge.name}`,
  ].join('\n')
}
