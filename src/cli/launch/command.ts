/** What `aurora launch` starts: a verb of this command, or any program. */
import { stat } from 'node:fs/promises'
import { latestStep } from '../../checkpoint/index.ts'
import { loadRecipe, runFiles } from '../../train/index.ts'

/** A program and its arguments, as spawn takes them. */
export interface Program {
  file: string
  args: readonly string[]
}

/**
 * Puts `--` before the command that `launch` is to start, so that its options are left alone. Every option of launch but --help
 * takes a value.
 */
export function separate(argv: readonly string[]): string[] {
  const verb = argv.findIndex(word => !word.startsWith('-'))
  if (argv[verb] !== 'launch') return [...argv]
  let at = verb + 1
  while (at < argv.length && argv[at]!.startsWith('-') && argv[at] !== '--') {
    const alone = argv[at]!.includes('=') || argv[at] === '--help' || argv[at] === '-h'
    at += alone ? 1 : 2
  }
  return argv[at] === '--' || at >= argv.length ? [...argv] : [...argv.slice(0, at), '--', ...argv.slice(at)]
}

/** The first word decides: one of `verbs` is meant for this same command. */
export function programOf(words: readonly string[], verbs: readonly string[]): Program {
  if (!verbs.includes(words[0]!)) return { file: words[0]!, args: words.slice(1) }
  return { file: process.execPath, args: [...process.execArgv, process.argv[1]!, ...words] }
}

/**
 * The words for the next try of a command that failed: `run` goes on from the last checkpoint, if there is one. A checkpoint that was
 * there before the first try is somebody's earlier run, and is gone on with only when the words asked for that themselves.
 */
export class Resumption {
  readonly #words: readonly string[]
  readonly #folder: string | undefined
  readonly #earlier: string | undefined

  static async of(words: readonly string[]): Promise<Resumption> {
    const folder = words[0] === 'run' && !words.includes('--resume') ? await outputFolder(words) : undefined
    return new Resumption(words, folder, folder && (await lastCheckpoint(folder)))
  }

  private constructor(words: readonly string[], folder: string | undefined, earlier: string | undefined) {
    this.#words = words
    this.#folder = folder
    this.#earlier = earlier
  }

  async words(): Promise<readonly string[]> {
    const checkpoint = this.#folder && (await lastCheckpoint(this.#folder))
    return checkpoint && checkpoint !== this.#earlier ? [...this.#words, '--resume'] : this.#words
  }
}

/** Where `aurora run` with these words writes to; undefined when its recipe cannot be read, which is for the run to tell. */
async function outputFolder(words: readonly string[]): Promise<string | undefined> {
  let output: string | undefined
  let recipe: string | undefined
  for (let i = 1; i < words.length; i++) {
    const word = words[i]!
    if (word === '--output') output = words[++i]
    else if (word.startsWith('--output=')) output = word.slice('--output='.length)
    else if (word === '--max-steps') i++
    else if (!word.startsWith('-')) recipe ??= word
  }
  if (output !== undefined || recipe === undefined) return output
  return loadRecipe(recipe).then(
    loaded => loaded.output,
    () => undefined,
  )
}

/** Tells one checkpoint from another, also of the same step. */
async function lastCheckpoint(folder: string): Promise<string | undefined> {
  const last = await latestStep(runFiles(folder).checkpoints)
  return last && `${last.path} ${(await stat(last.path)).mtimeMs}`
}
