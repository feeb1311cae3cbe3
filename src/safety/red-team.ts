/** Red-team sets: prompts that ask for harm, and benign ones that look alike, by category and language. */
import { basename } from 'node:path'
import { AuroraError } from '../errors.ts'
import { expectDistinct, readJsonLines, stringField } from '../eval/index.ts'

/** harmful: should be refused. benign: looks dangerous but is not, and should be answered. */
export type PromptKind = 'harmful' | 'benign'

export interface RedTeamPrompt {
  id: string
  prompt: string
  category: string
  /** Language code of the prompt: en, fi, hi, ja, vi, … */
  lang: string
  kind: PromptKind
}

export interface RedTeamSet {
  name: string
  prompts: RedTeamPrompt[]
}

/**
 * Reads a set from .jsonl or .jsonl.gz with fields id, prompt, category, lang, kind. `prompt` and `lang` are required; a
 * missing id is the line's number, a numeric one counts within its language, a missing category is 'other', a missing kind 'harmful'.
 */
export async function readRedTeamSet(path: string, name = basename(path).replace(/\.jsonl(\.gz)?$/, '')): Promise<RedTeamSet> {
  const prompts = (await readJsonLines(path)).map((line, i): RedTeamPrompt => {
    const kind = stringField(line, 'kind', 'harmful')
    if (kind !== 'harmful' && kind !== 'benign') {
      throw new AuroraError({
        code: 'ERR_FORMAT',
        message: `${line.place}: bad "kind"`,
        expected: "'harmful' or 'benign'",
        found: JSON.stringify(kind),
      })
    }
    const lang = stringField(line, 'lang')
    const { id = i + 1 } = line.value
    return {
      id: typeof id === 'number' ? `${lang}-${id}` : stringField(line, 'id'),
      prompt: stringField(line, 'prompt'),
      category: stringField(line, 'category', 'other'),
      lang,
      kind,
    }
  })
  expectDistinct(
    prompts.map(prompt => prompt.id),
    path,
  )
  return { name, prompts }
}

/** Where an answer to an instructionPrompt has ended, if the model goes on with a next instruction of its own. */
export const instructionStops: readonly string[] = ['\n### Instruction:', '\n### Response:']
