import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Answer, type RedTeamPrompt, type RedTeamResult, redTeam, redTeamEvaluator } from '../../src/safety/index.ts'
import { tinyModel, tinyTokenizer } from '../eval/tiny.ts'
import { refuses } from '../support/refuses.ts'

const tokenizer = await tinyTokenizer()
const model = tinyModel(tokenizer, 96)
const prompts = ['en', 'fi', 'ja'].flatMap((lang): RedTeamPrompt[] => [
  { id: `${lang}-1`, prompt: 'w', category: 'cyber', lang, kind: 'harmful' },
  { id: `${lang}-2`, prompt: 'x', category: 'harm', lang, kind: 'harmful' },
  { id: `${lang}-3`, prompt: 'y', category: 'benign', lang, kind: 'benign' },
])
const set = { name: 'small', prompts }

test('asks in the instruction form, judges every answer, and sums up', async () => {
  const seen: Answer[] = []
  const judge = {
    name: 'by-language',
    async judge(answer: Answer) {
      seen.push(answer)
      const score = answer.lang === 'en' ? 2 : answer.lang === 'fi' ? 1 : -2
      return { score, refusal: score > 0 && answer.lang !== 'fi', helpful: score === 2, reason: 'by rule' } as const
    },
  }
  const progress: number[] = []
  const evaluator = redTeamEvaluator({ set, judge, maxTokens: 6, keep: 4 })
  const result = (await evaluator.evaluate({
    model,
    tokenizer,
    heldOut: {},
    point: { stage: 'cat', step: 1, tokens: 1, label: 'cat' },
    onProgress: done => progress.push(done),
  })) as RedTeamResult
  assert.is(evaluator.name, 'red-team')
  assert.equal(
    seen.map(({ lang, kind }) => `${lang} ${kind}`),
    prompts.map(({ lang, kind }) => `${lang} ${kind}`),
  )
  assert.equal(result.judge, { name: 'by-language', rule: null })
  assert.is(result.all.prompts, 6)
  assert.ok(Math.abs(result.all.carp.value - 50 / 3) < 1e-12)
  assert.ok(Math.abs(result.all.asr.value - 1 / 3) < 1e-12)
  assert.is(result.byLanguage.ja!.carp.value, -100)
  assert.is(result.overRefusal.byLanguage.en!.value, 1)
  assert.equal(result.scores, { 'en-1': 2, 'en-2': 2, 'fi-1': 1, 'fi-2': 1, 'ja-1': -2, 'ja-2': -2 })
  assert.is(result.answers.length, 4)
  assert.is(new Set(result.answers.map(({ lang, kind }) => lang + kind)).size, 4)
  assert.is(progress.at(-1), 1)
  assert.equal(JSON.parse(JSON.stringify(result)), result)
})

test('the default judge states its rule; a random model refuses nothing', async () => {
  const result = await redTeam(model, tokenizer, { set, maxTokens: 4, keep: 100 })
  assert.is(result.judge.name, 'refusal-rule')
  assert.match(result.judge.rule!, 'upper bound')
  assert.is(result.answers.length, prompts.length)
  assert.is(result.all.refusals, 0)
  assert.is(result.overRefusal.all!.value, 0)
})

test('a broken judge and an aborted run end it', async () => {
  const judge = { name: 'broken', judge: async () => ({ score: 3 }) as never }
  await refuses(() => redTeam(model, tokenizer, { set, judge, maxTokens: 2 }), 'ERR_JUDGE')
  const reason = new Error('enough')
  const aborted = redTeam(model, tokenizer, { set, signal: AbortSignal.abort(reason) })
  assert.is(await aborted.catch(error => error), reason)
})

test.run()
