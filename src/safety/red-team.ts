/** Red-team sets: prompts that ask for harm, and benign ones that look alike, by category and language. */
import { basename } from 'node:path'
import { type JsonLine, readJsonLines } from '../eval/index.ts'

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
  return { name, prompts: await readJsonLines(path, promptOf, prompt => prompt.id) }
}

function promptOf(line: JsonLine, index: number): RedTeamPrompt {
  const lang = line.string('lang')
  const { id = index + 1 } = line.value
  const kind = line.string('kind', 'harmful')
  return {
    id: typeof id === 'number' ? `${lang}-${id}` : line.string('id'),
    prompt: line.string('prompt'),
    category: line.string('category', 'other'),
    lang,
    kind: kind === 'harmful' || kind === 'benign' ? kind : line.refuse('kind', "'harmful' or 'benign'"),
  }
}

/** Where an answer to an instructionPrompt has ended, if the model goes on with a next instruction of its own. */
export const instructionStops: readonly string[] = ['\n### Instruction:', '\n### Response:']
