import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { passRates } from '../../src/eval/code/evaluate.ts'
import { executePrograms, sandboxInfo } from '../../src/eval/code/sandbox.ts'
import {
  type CodeProblem,
  canonicalCompletion,
  codePrompt,
  programOf,
  pythonStops,
  readCodeSuite,
} from '../../src/eval/code/suite.ts'
import { type CodeResult, codeEvaluator, evaluateCode } from '../../src/eval/index.ts'
import { StopScanner } from '../../src/eval/stop-strings.ts'
import { temporaryFolder } from '../support/folder.ts'
import { refuses } from '../support/refuses.ts'
import { tinyModel, tinyTokenizer } from './tiny.ts'

const problems: CodeProblem[] = [
  {
    task_id: 'test/0',
    family: 'add',
    prompt: 'def add_2(x):\n    """Return x plus 2."""\n',
    entry_point: 'add_2',
    canonical_solution: '    return x + 2\n',
    test: 'def check(candidate):\n    assert candidate(1) == 3\n    assert candidate(-2) == 0\n',
  },
  {
    task_id: 'test/1',
    family: 'first',
    prompt: 'from typing import List\n\n\ndef first(xs: List[int]) -> int:\n    """Return the first item."""\n',
    entry_point: 'first',
    canonical_solution: '    for x in xs:\n        return x\n',
    test: '\nMETADATA = {}\n\ndef check(candidate):\n    assert candidate([4, 5]) == 4\n',
  },
  {
    task_id: 'test/2',
    prompt: 'def nothing():\n    """Return None."""\n',
    entry_point: 'nothing',
    canonical_solution: '    pass\n',
    test: 'def check(candidate):\n    assert candidate() is None\n',
  },
]
const suite = { name: 'test', problems }
const python = await sandboxInfo().catch(() => undefined)
const pythonTest = python ? test : test.skip

pythonTest('canonical solutions pass, and others do not', async () => {
  assert.ok(problems.every(problem => !/\s$/.test(codePrompt(problem))))
  const right = await executePrograms(problems.map(problem => programOf(problem, canonicalCompletion(problem))))
  assert.equal(
    right.map(({ outcome }) => outcome),
    ['passed', 'passed', 'passed'],
  )
  const wrong = ['\n    return x + 3\n', '\n    return 4 if xs == [4, 5] else', '\n    import sys\n    sys.exit(0)\n']
  const outcomes = await executePrograms(problems.map((problem, i) => programOf(problem, wrong[i]!)))
  assert.equal(
    outcomes.map(({ outcome }) => outcome),
    ['failed', 'error', 'error'],
  )
})

test('a completion is cut where the function ends', () => {
  const cut = (text: string) => {
    const scanner = new StopScanner(pythonStops)
    scanner.push(text)
    return scanner.text
  }
  assert.is(cut('\n    return x + 2\n\n\ndef add_3(x):\n    pass'), '\n    return x + 2\n\n')
  assert.is(
    cut('\n    if x:\n        return 1\n    # yes\n    return 2\nprint(3)'),
    '\n    if x:\n        return 1\n    # yes\n    return 2',
  )
})

test('reading suites', async () => {
  const folder = temporaryFolder()
  const lines = problems.map(problem => JSON.stringify(problem)).join('\n')
  writeFileSync(join(folder, 'mine.jsonl'), lines)
  writeFileSync(join(folder, 'mine.jsonl.gz'), gzipSync(lines))
  for (const file of ['mine.jsonl', 'mine.jsonl.gz']) {
    assert.equal(await readCodeSuite(join(folder, file)), { name: 'mine', problems })
  }
  const bad = join(folder, 'bad.jsonl')
  for (const [change, message] of [
    [{ entry_point: 'os.system("x")' }, /name of a function/],
    [{ test: undefined }, /bad "test"/],
    [{ task_id: 3 }, /bad "task_id"/],
  ] as const) {
    writeFileSync(bad, JSON.stringify({ ...problems[0], ...change }))
    await refuses(() => readCodeSuite(bad), 'ERR_FORMAT', message)
  }
  writeFileSync(bad, `${JSON.stringify(problems[0])}\n${JSON.stringify(problems[0])}`)
  await refuses(() => readCodeSuite(bad), 'ERR_FORMAT', /one name/)
  await refuses(() => readCodeSuite(join(folder, 'none.jsonl')), 'ERR_FILE_NOT_FOUND')
})

test('pass rates of groups', () => {
  const result = (correct: number, greedy: 'passed' | 'failed') => ({ task: 't', family: null, greedy, correct })
  const rates = passRates([result(4, 'passed'), result(2, 'passed'), result(0, 'failed')], 4, [1, 4])
  assert.is(rates.problems, 3)
  assert.ok(Math.abs(rates.greedy.value - 2 / 3) < 1e-12)
  assert.ok(Math.abs(rates.passAt['1']!.value - 0.5) < 1e-12)
  assert.ok(Math.abs(rates.passAt['4']!.value - 2 / 3) < 1e-12)
  assert.ok(rates.greedy.low <= rates.greedy.value && rates.greedy.high >= rates.greedy.value)
})

test('nothing is executed without the flag', async () => {
  assert.throws(() => codeEvaluator({ suite, allowCodeExecution: false }), /--allow-code-execution/)
  assert.throws(() => codeEvaluator({ suite, allowCodeExecution: 'yes' as unknown as boolean }), /allowCodeExecution: true/)
  const tokenizer = await tinyTokenizer()
  const options = { suite, allowCodeExecution: false }
  await refuses(() => evaluateCode(tinyModel(tokenizer), tokenizer, options), 'ERR_CODE_EXECUTION')
})

test('without Python the result says that it was not run', async () => {
  const tokenizer = await tinyTokenizer()
  const result = await evaluateCode(tinyModel(tokenizer), tokenizer, {
    suite,
    allowCodeExecution: true,
    sandbox: { python: 'python-that-is-not-there' },
  })
  assert.is(result.status, 'not run')
  assert.match(result.reason!, 'python-that-is-not-there')
  assert.is(result.all, null)
})

pythonTest('a whole evaluation of a random model', async () => {
  const tokenizer = await tinyTokenizer()
  const model = tinyModel(tokenizer)
  const progress: number[] = []
  const evaluator = codeEvaluator({ suite, allowCodeExecution: true, samples: 3, k: [1, 2], maxTokens: 8, keep: 2 })
  const point = { stage: '', step: 0, tokens: 0, label: 'start' }
  const evaluate = () =>
    evaluator.evaluate({ model, tokenizer, heldOut: {}, point, onProgress: done => progress.push(done) }) as Promise<CodeResult>
  const result = await evaluate()
  assert.is(evaluator.name, 'code')
  assert.is(result.status, 'run')
  assert.equal(
    result.problems.map(({ task, family }) => [task, family]),
    [
      ['test/0', 'add'],
      ['test/1', 'first'],
      ['test/2', null],
    ],
  )
  assert.equal(Object.keys(result.families), ['add', 'first'])
  assert.equal(Object.keys(result.all!.passAt), ['1', '2'])
  assert.is(
    Object.values(result.outcomes).reduce((sum, count) => sum + count, 0),
    12,
  )
  assert.equal(
    result.completions.map(({ task }) => task),
    ['test/0', 'test/1'],
  )
  assert.equal(await evaluate(), result)
  assert.equal(JSON.parse(JSON.stringify(result)), result)
  assert.is(progress.at(-1), 1)
  const greedyOnly = await evaluateCode(model, tokenizer, {
    suite,
    allowCodeExecution: true,
    samples: 3,
    temperature: 0,
    maxTokens: 4,
  })
  assert.equal([greedyOnly.samples, greedyOnly.all!.passAt], [0, {}])
  await refuses(
    () => evaluateCode(model, tokenizer, { suite, allowCodeExecution: true, samples: 3, k: [4] }),
    'ERR_INVALID_ARGUMENT',
    /passAtK/,
  )
})

test.run()
