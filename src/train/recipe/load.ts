/** From a file or an object to a checked recipe; from a failed check to an error that says where, what, and what instead. */
import { readFile } from 'node:fs/promises'
import { dirname, extname, resolve } from 'node:path'
import { type Document, isMap, isScalar, LineCounter, parseDocument } from 'yaml'
import type * as z from 'zod'
import { fileError } from '../../checkpoint/index.ts'
import { AuroraError } from '../../errors.ts'
import { type CheckedRecipe, type Recipe, recipeSchema } from './schema.ts'

type Path = readonly PropertyKey[]

/** Where a path of the document stands in its file: "12:5". */
type Locate = (path: Path) => string | undefined

/** A recipe in TypeScript: the same structure as the document, checked by the compiler, and here by the schema. */
export function defineRecipe(recipe: Recipe): Recipe {
  checkRecipe(recipe)
  return recipe
}

/** A recipe with all its defaults; its paths made absolute from `folder`. */
export function checkRecipe(recipe: unknown, options: { folder?: string; source?: string; locate?: Locate } = {}): CheckedRecipe {
  const { folder = process.cwd(), source = 'recipe', locate } = options
  const checked = recipeSchema.safeParse(recipe, { reportInput: true })
  if (!checked.success) throw recipeError(checked.error.issues, recipe, source, locate)
  return absolutePaths(checked.data, folder)
}

/** Reads and checks a recipe file: .yaml, .yml or .json. Its paths are relative to its folder. */
export async function loadRecipe(path: string): Promise<CheckedRecipe> {
  if (!['.yaml', '.yml', '.json'].includes(extname(path))) {
    throw new AuroraError({
      code: 'ERR_RECIPE',
      message: `${path} is no recipe`,
      expected: 'a .yaml, .yml or .json file',
      found: extname(path) || 'no extension',
      hint: 'a recipe in TypeScript is run by calling runRecipe(defineRecipe({ … }))',
    })
  }
  const text = await readFile(path, 'utf8').catch(error => {
    throw fileError('read', path, error)
  })
  return parseRecipe(text, { folder: dirname(resolve(path)), source: path })
}

export function parseRecipe(text: string, options: { folder?: string; source?: string } = {}): CheckedRecipe {
  const { source = 'recipe' } = options
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  const problem = document.errors[0]
  if (problem) {
    const { line, col } = lines.linePos(problem.pos[0])
    throw new AuroraError({
      code: 'ERR_RECIPE',
      message: `${source}:${line}:${col}: not valid YAML`,
      found: problem.message.split('\n')[0]!,
      cause: problem,
    })
  }
  const locate: Locate = path => {
    const offset = offsetOf(document.contents, path)
    if (offset === undefined) return undefined
    const { line, col } = lines.linePos(offset)
    return `${line}:${col}`
  }
  return checkRecipe(toPlain(document, source), { ...options, locate })
}

function toPlain(document: Document, source: string): unknown {
  try {
    return document.toJS()
  } catch (cause) {
    // Aliases that expand beyond measure.
    throw new AuroraError({ code: 'ERR_RECIPE', message: `${source}: not usable YAML`, found: (cause as Error).message, cause })
  }
}

/** Offset of the key that leads to `path`, or of the deepest part of it that is there. */
function offsetOf(root: unknown, path: Path): number | undefined {
  let node = root as { range?: [number, number, number] | null; items?: unknown[] } | null
  let offset = node?.range?.[0]
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => (isScalar(key) ? key.value : key) === step)
      if (!pair) return offset
      offset = (pair.key as { range?: [number, number, number] }).range?.[0] ?? offset
      node = pair.value as typeof node
    } else {
      node = node?.items?.[step as number] as typeof node
      offset = node?.range?.[0] ?? offset
    }
  }
  return offset
}

// --- errors -----------------------------------------------------------------------------------------------------------

function recipeError(
  issues: readonly z.core.$ZodIssue[],
  recipe: unknown,
  source: string,
  locate: Locate | undefined,
): AuroraError {
  const problems = issues.flatMap(issue => explain(issue, recipe))
  const [first] = problems
  const at = locate?.(first!.path)
  const others = problems.slice(1).map(({ path }) => pathText(path))
  return new AuroraError({
    code: 'ERR_RECIPE',
    message: `${source}${at ? `:${at}` : ''}: ${pathText(first!.path)}`,
    expected: first!.expected,
    found: first!.found,
    hint: others.length > 0 ? `also wrong: ${others.join(', ')}` : undefined,
  })
}

interface Problem {
  path: Path
  expected: string
  found: string
}

function explain(issue: z.core.$ZodIssue, recipe: unknown): Problem[] {
  const { path } = issue
  const found = show(valueAt(recipe, path))
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map(key => ({
        path: [...path, key],
        expected: 'no such key',
        found: show(valueAt(recipe, [...path, key])),
      }))
    case 'invalid_type':
      return [{ path, expected: typeNames[issue.expected] ?? issue.expected, found }]
    case 'invalid_value':
      return [{ path, expected: issue.values.map(value => JSON.stringify(value)).join(' or '), found }]
    case 'too_small':
      return [{ path, expected: bound(issue.origin, issue.inclusive ? 'at least' : 'more than', issue.minimum), found }]
    case 'too_big':
      return [{ path, expected: bound(issue.origin, issue.inclusive ? 'at most' : 'less than', issue.maximum), found }]
    case 'invalid_union': {
      if ('discriminator' in issue && issue.discriminator) {
        const options = 'options' in issue ? (issue.options as unknown[] | undefined) : undefined
        const expected = options ? options.map(value => JSON.stringify(value)).join(' or ') : 'one of its known types'
        const at = path.at(-1) === issue.discriminator ? path : [...path, issue.discriminator]
        return [{ path: at, expected, found: show(valueAt(recipe, at)) }]
      }
      const expected = issue.errors.flatMap(branch =>
        branch.slice(0, 1).flatMap(inner => explain({ ...inner, path: [...path] }, recipe)),
      )
      return [{ path, expected: expected.map(problem => problem.expected).join(' or '), found }]
    }
    default:
      return [{ path, expected: issue.message.replace(/^expected /, ''), found }]
  }
}

const typeNames: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'an integer',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list of two numbers',
  object: 'a map of settings',
  record: 'a map by name',
}

function bound(origin: string, words: string, limit: number | bigint): string {
  const unit = origin === 'string' ? ' characters' : origin === 'array' ? ' entries' : ''
  return `${words} ${limit}${unit}`
}

function pathText(path: Path): string {
  if (path.length === 0) return 'the recipe'
  return path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : text ? `${text}.${String(step)}` : String(step)),
    '',
  )
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((inner, step) => (inner as Record<PropertyKey, unknown> | undefined)?.[step], value)
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object' && value !== null) return `a map with ${Object.keys(value).join(', ') || 'nothing'}`
  return JSON.stringify(value)
}

// --- paths ------------------------------------------------------------------------------------------------------------

function absolutePaths(recipe: CheckedRecipe, folder: string): CheckedRecipe {
  const absolute = (path: string) => resolve(folder, path)
  const optional = (path: string | undefined) => (path === undefined ? undefined : absolute(path))
  return {
    ...recipe,
    output: absolute(recipe.output),
    model: { ...recipe.model, from: optional(recipe.model.from) },
    tokenizer: recipe.tokenizer && { ...recipe.tokenizer, file: optional(recipe.tokenizer.file) },
    data: Object.fromEntries(
      Object.entries(recipe.data).map(([name, corpus]) => [
        name,
        { ...corpus, files: corpus.files && [corpus.files].flat().map(absolute), tokens: optional(corpus.tokens) },
      ]),
    ),
    evaluations: recipe.evaluations.map(evaluation => {
      if (evaluation.type === 'codeSuite') return { ...evaluation, tasks: absolute(evaluation.tasks) }
      if (evaluation.type === 'redTeam') {
        return { ...evaluation, prompts: absolute(evaluation.prompts), refusals: optional(evaluation.refusals) }
      }
      return evaluation
    }),
  }
}
