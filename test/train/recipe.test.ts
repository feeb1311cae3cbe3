import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { AuroraError } from '../../src/errors.ts'
import { checkRecipe, defineRecipe, loadRecipe, parseRecipe } from '../../src/train/recipe/load.ts'
import type { Recipe } from '../../src/train/recipe/schema.ts'

const text = `
output: runs/small
model:
  create: { nLayer: 1, nEmbd: 32, nHead: 2, nPositions: 16 }
tokenizer: { file: tokenizer.json }
data:
  en: { files: text/en/*.txt, heldOut: 0.1 }
  fi: { files: [text/fi/a.txt, text/fi/b.txt] }
  curated:
    of: [en, fi]
    filter: { maxSymbols: 0.1 }
batch: { sequences: 4, length: 16 }
schedule: { type: warmupCosine, peak: 1.0e-3, final: 1.0e-4, warmup: 5 }
stages:
  - name: base
    steps: 10
    mixture: { en: 1 }
  - name: cap
    tokens: 1.0e+3
    mixture: { en: 0.5, fi: 2 }
    schedule: { type: constant, lr: 1.0e-3 }
evaluations:
  - { type: bitsPerByte, on: [en] }
`

function errorOf(run: () => unknown): AuroraError {
  try {
    run()
  } catch (error) {
    assert.instance(error, AuroraError)
    return error as AuroraError
  }
  throw new Error('no error was thrown')
}

test('a recipe gets its defaults, and its paths from its folder', () => {
  const recipe = parseRecipe(text, { folder: '/somewhere' })
  assert.is(recipe.output, '/somewhere/runs/small')
  assert.equal(recipe.data.fi!.files, ['/somewhere/text/fi/a.txt', '/somewhere/text/fi/b.txt'])
  assert.equal(recipe.optimizer, {
    type: 'adamw',
    betas: [0.9, 0.95],
    eps: 1e-8,
    weightDecay: 0.1,
    clip: 1,
    stochasticRounding: false,
  })
  assert.is(recipe.model.dtype, 'f32')
  assert.equal(recipe.stages[0]!.schedule, { type: 'continue' })
  assert.is(recipe.stages[1]!.tokens, 1000)
  assert.equal(recipe.evaluations[0]!.when, ['before', 'stages'])
})

test('a checked recipe passes its check again, unchanged', () => {
  const recipe = parseRecipe(text, { folder: '/somewhere' })
  assert.equal(checkRecipe(recipe, { folder: '/elsewhere' }), recipe)
})

test('the same recipe in TypeScript', () => {
  const recipe: Recipe = defineRecipe({
    output: 'runs/small',
    model: { create: { nLayer: 1, nEmbd: 32, nHead: 2, nPositions: 16 } },
    tokenizer: { file: 'tokenizer.json' },
    data: {
      en: { files: 'text/en/*.txt', heldOut: 0.1 },
      fi: { files: ['text/fi/a.txt', 'text/fi/b.txt'] },
      curated: { of: ['en', 'fi'], filter: { maxSymbols: 0.1 } },
    },
    batch: { sequences: 4, length: 16 },
    schedule: { type: 'warmupCosine', peak: 1e-3, final: 1e-4, warmup: 5 },
    stages: [
      { name: 'base', steps: 10, mixture: { en: 1 } },
      { name: 'cap', tokens: 1000, mixture: { en: 0.5, fi: 2 }, schedule: { type: 'constant', lr: 1e-3 } },
    ],
    evaluations: [{ type: 'bitsPerByte', on: ['en'] }],
  })
  assert.equal(checkRecipe(recipe, { folder: '/somewhere' }), parseRecipe(text, { folder: '/somewhere' }))
})

/** [what is wrong, the line to change, its replacement, path, expected, found, line:column] */
const mistakes: [string, string, string, string, string, string, string][] = [
  ['unknown key', 'output: runs/small', 'output: runs/small\nouput: x', 'ouput', 'no such key', '"x"', '3:1'],
  ['unknown nested key', 'heldOut: 0.1', 'heldout: 0.1', 'data.en.heldout', 'no such key', '0.1', '7:31'],
  ['missing key', 'steps: 10', 'length: 8', 'stages[0]', 'either tokens or steps', 'a map with name, length, mixture', '15:5'],
  ['wrong type', 'sequences: 4', 'sequences: four', 'batch.sequences', 'a number', '"four"', '12:10'],
  ['out of range', 'heldOut: 0.1', 'heldOut: 2', 'data.en.heldOut', 'at most 0.9', '2', '7:31'],
  ['not an integer', 'steps: 10', 'steps: 1.5', 'stages[0].steps', 'an integer', '1.5', '16:5'],
  [
    'unknown variant',
    'type: constant',
    'type: costant',
    'stages[1].schedule.type',
    '"continue" or "constant" or "linear" or "warmupCosine" or "wsd"',
    '"costant"',
    '21:17',
  ],
  [
    'unknown corpus',
    'mixture: { en: 1 }',
    'mixture: { sv: 1 }',
    'stages[0].mixture.sv',
    'a corpus of data (en, fi, curated)',
    '1',
    '17:16',
  ],
  [
    'neither of two',
    'tokenizer: { file: tokenizer.json }',
    'tokenizer: {}',
    'tokenizer',
    'either file or train',
    'a map with nothing',
    '5:1',
  ],
]

for (const [what, before, after, path, expected, found, at] of mistakes) {
  test(`refused, saying where: ${what}`, () => {
    const broken = text.replace(before, after)
    assert.is.not(broken, text)
    const error = errorOf(() => parseRecipe(broken, { source: 'recipe.yaml' }))
    assert.is(error.code, 'ERR_RECIPE')
    assert.is(error.expected, expected)
    assert.is(error.found, found)
    assert.ok(error.message.startsWith(`recipe.yaml:${at}: ${path};`), error.message)
  })
}

test('several mistakes are all named', () => {
  const error = errorOf(() => parseRecipe(text.replace('sequences: 4', 'sequences: 0').replace('steps: 10', 'steps: ten')))
  assert.match(error.hint!, 'stages[0].steps')
})

test('YAML that cannot be read is refused with its place', () => {
  const error = errorOf(() => parseRecipe('output: [a\nmodel: }', { source: 'r.yaml' }))
  assert.is(error.code, 'ERR_RECIPE')
  assert.match(error.message, /^r\.yaml:\d+:\d+: not valid YAML/)
})

test('hostile YAML: aliases that expand without end, prototype keys, a document that is no map', () => {
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...'bcdefghi'.split('').map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[i]}`)}]`),
  ]
  assert.is(errorOf(() => parseRecipe(bomb.join('\n'))).code, 'ERR_RECIPE')
  assert.is(errorOf(() => parseRecipe(`__proto__: { polluted: 1 }\n${text}`)).code, 'ERR_RECIPE')
  assert.is(({} as { polluted?: number }).polluted, undefined)
  for (const document of ['', '[]', '3', 'null']) assert.is(errorOf(() => parseRecipe(document)).code, 'ERR_RECIPE')
})

test('recipe files: missing, of another kind, and found', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aurora-recipe-'))
  try {
    await writeFile(join(folder, 'recipe.yaml'), text)
    assert.is((await loadRecipe(join(folder, 'recipe.yaml'))).output, join(folder, 'runs/small'))
    const code = (path: string) => loadRecipe(join(folder, path)).catch((error: AuroraError) => error.code)
    assert.is(await code('missing.yaml'), 'ERR_FILE_NOT_FOUND')
    assert.is(await code('recipe.txt'), 'ERR_RECIPE')
  } finally {
    await rm(folder, { recursive: true })
  }
})

test.run()
