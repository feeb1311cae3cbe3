/** Code suites in HumanEval's form: a function's head, hidden checks, and the program that joins a completion to them. */
import { basename } from 'node:path'
import { type JsonLine, readJsonLines } from '../jsonl.ts'

/** One line of a suite, in HumanEval's field names. */
export interface CodeProblem {
  task_id: string
  /** Group of problems that results are also given for. */
  family?: string
  /** Imports, the function's head and its docstring. */
  prompt: string
  /** Name of the function. */
  entry_point: string
  /** The rest of a right solution: what follows the prompt. */
  canonical_solution: string
  /** Defines check(candidate), which raises if a check fails. */
  test: string
}

export interface CodeSuite {
  name: string
  problems: CodeProblem[]
}

/** Reads a suite from .jsonl or .jsonl.gz. */
export async function readCodeSuite(path: string, name = basename(path).replace(/\.jsonl(\.gz)?$/, '')): Promise<CodeSuite> {
  return { name, problems: await readJsonLines(path, problemOf, problem => problem.task_id) }
}

function problemOf(line: JsonLine): CodeProblem {
  const problem: CodeProblem = {
    task_id: line.string('task_id'),
    prompt: line.string('prompt'),
    entry_point: line.string('entry_point'),
    canonical_solution: line.string('canonical_solution'),
    test: line.string('test'),
  }
  if (!/^[\p{L}_][\p{L}\p{N}_]*$/u.test(problem.entry_point)) line.refuse('entry_point', 'the name of a function')
  return line.value.family === undefined ? problem : { ...problem, family: line.string('family') }
}

/** Where a completion of a Python function has ended: at the next thing that stands at the left margin. */
export const pythonStops: readonly string[] = ['\nclass', '\ndef', '\n#', '\n@', '\nprint', '\nif', '\n```', '<file_sep>']

/**
 * What the model is given: the prompt without its last line break. Byte-level tokenizers join a line break with the indentation
 * that follows into one token, so a prompt that ends in one asks for a text that training never showed.
 */
export function codePrompt(problem: CodeProblem): string {
  return problem.prompt.trimEnd()
}

/** The program whose end without an exception means that `completion` (what follows codePrompt) is right. */
export function programOf(problem: CodeProblem, completion: string): string {
  return `${codePrompt(problem)}${completion}\n\n${problem.test}\n\ncheck(${problem.entry_point})\n`
}

/** The suite's own solution as a completion of codePrompt: for checking a suite and the sandbox. */
export function canonicalCompletion(problem: CodeProblem): string {
  return problem.prompt.slice(codePrompt(problem).length) + problem.canonical_solution
}
