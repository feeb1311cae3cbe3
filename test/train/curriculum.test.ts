import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { AuroraError } from '../../src/errors.ts'
import { constant } from '../../src/optim/index.ts'
import { differences, expectSameRun, plainJson } from '../../src/train/fingerprint.ts'
import { Curriculum, stage } from '../../src/train/stage.ts'
import { tinyMixtures } from './tiny.ts'

const { first: data } = tinyMixtures()

test('stages are placed by their budgets', () => {
  const stages = [stage('a', { tokens: 1000, data }), stage('b', { steps: 3, data, length: 64 }), stage('c', { tokens: 1, data })]
  const curriculum = new Curriculum(stages, { sequences: 4, length: 32 })
  // 1000 tokens are 7.8 steps of 128: as many as are needed.
  assert.equal(
    curriculum.stages.map(({ firstStep, steps, tokensPerStep, firstToken }) => [firstStep, steps, tokensPerStep, firstToken]),
    [
      [0, 8, 128, 0],
      [8, 3, 256, 1024],
      [11, 1, 128, 1792],
    ],
  )
  assert.equal([curriculum.totalSteps, curriculum.totalTokens], [12, 1920])
  assert.equal([0, 7, 8, 10, 11, 12].map(done => curriculum.at(done).stage.name), ['a', 'a', 'b', 'b', 'c', 'c']) // biome-ignore format: one call
  assert.equal([0, 1, 8, 9, 12].map(done => curriculum.before(done)?.stage.name), [undefined, 'a', 'a', 'b', 'c']) // biome-ignore format: one call
  assert.equal([0, 1, 8, 9, 11, 12].map(done => curriculum.tokens(done)), [0, 128, 1024, 1280, 1792, 1920]) // biome-ignore format: one call
  assert.equal([7, 8, 9, 11, 12].map(done => curriculum.closesStage(done)), [false, true, false, true, true]) // biome-ignore format: one call
})

test("the paper's run: 377 and 58 billion tokens in batches of 2048 · 2048", () => {
  const stages = [stage('cap', { tokens: 377e9, data }), stage('cat', { tokens: 58e9, data })]
  const { stages: placed } = new Curriculum(stages, { sequences: 2048, length: 2048 })
  assert.equal(placed.map(({ firstStep, steps }) => [firstStep, steps]), [[0, 89_884], [89_884, 13_829]]) // biome-ignore format: one call
})

test("a stage's own schedule starts with the stage", () => {
  const own = { at: (step: number) => 100 + step, describe: () => ({ schedule: 'own' }) }
  const stages = [
    stage('a', { steps: 2, data }),
    stage('b', { steps: 2, data, schedule: own }),
    stage('c', { steps: 1, data, schedule: 'continue' }),
  ]
  const curriculum = new Curriculum(stages, { sequences: 1, length: 8 })
  const run = { at: (step: number) => step, describe: () => ({ schedule: 'run' }) }
  assert.equal([0, 1, 2, 3, 4].map(done => curriculum.learningRate(done, run)), [0, 1, 100, 101, 4]) // biome-ignore format: one call
  assert.is(curriculum.learningRate(2, constant(1)), 100)
})

test('differences name their paths', () => {
  const stored = plainJson({ seed: 1n, stages: [{ name: 'a', data: { fi: 0.5 } }, { name: 'b' }], none: undefined })
  const found = plainJson({ seed: '1', stages: [{ name: 'a', data: { fi: 0.25, en: 1 } }] })
  assert.equal(differences(stored, stored), [])
  assert.equal(differences(stored, found).map(({ path }) => path), ['stages[0].data.fi', 'stages[0].data.en', 'stages[1]']) // biome-ignore format: one call
})

test('changes are refused unless they are allowed at or above their path', () => {
  const [stored, found] = [
    { a: { b: 1, c: 1 }, ab: 1 },
    { a: { b: 2, c: 2 }, ab: 1 },
  ]
  const codeOf = (allowed: boolean | string[]) => {
    try {
      expectSameRun(stored, found, allowed, 'folder')
      return 'same'
    } catch (error) {
      return (error as AuroraError).message
    }
  }
  assert.is(codeOf(true), 'same')
  assert.is(codeOf(['a']), 'same')
  assert.is(codeOf(['a.b', 'a.c']), 'same')
  assert.match(codeOf(['a.b']), 'defined otherwise: a.c;')
  assert.match(codeOf(['ab', 'a.']), 'defined otherwise: a.b, a.c;')
  assert.match(codeOf(false), 'a.b = 1, as in the checkpoint')
})

test.run()
