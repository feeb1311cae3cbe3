import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  activationOf,
  completeConfig,
  configFromHuggingFace,
  configToHuggingFace,
  innerWidth,
} from '../../src/models/gpt-bigcode/config.ts'
import { parameterCount } from '../../src/models/index.ts'
import { goldenFolder } from '../support/golden.ts'

const golden = JSON.parse(readFileSync(`${goldenFolder}/config.json`, 'utf8'))

test('a config.json comes back as it was, unknown fields included', () => {
  const json = { ...golden, _name_or_path: 'x', task_specific_params: { a: [1, 2] } }
  assert.equal(configToHuggingFace(configFromHuggingFace(json), 'float32'), json)
  assert.is(configToHuggingFace(configFromHuggingFace(json), 'bfloat16').torch_dtype, 'bfloat16')
  const newer = { ...golden, dtype: 'float32' }
  delete newer.torch_dtype
  assert.equal(configToHuggingFace(configFromHuggingFace(newer), 'bfloat16'), { ...newer, dtype: 'bfloat16' })
})

test('parameter counts of the published models', () => {
  const starcoder = (nLayer: number, nEmbd: number, nHead: number) =>
    parameterCount(completeConfig({ vocabSize: 49152, nPositions: 8192, nLayer, nEmbd, nHead }))
  assert.is(starcoder(40, 6144, 48), 15_517_456_384)
  assert.is(starcoder(42, 4096, 32), 7_327_263_232)
  assert.is(starcoder(36, 2816, 22), 3_043_311_104)
  assert.is(starcoder(24, 2048, 16), 1_137_207_296)
})

test('n_inner null is four times the width; activations by all their names', () => {
  assert.is(innerWidth(completeConfig({ nEmbd: 96 })), 384)
  assert.is(innerWidth(completeConfig({ nEmbd: 96, nInner: 100 })), 100)
  for (const [name, activation] of [
    ['gelu', 'gelu'],
    ['gelu_pytorch_tanh', 'geluTanh'],
    ['gelu_new', 'geluTanh'],
  ] as const) {
    assert.is(activationOf(completeConfig({ activationFunction: name })), activation)
  }
})

test('what is wrong is named, with what was expected and found', () => {
  const refused = (json: unknown, pattern: RegExp) =>
    assert.throws(
      () => configFromHuggingFace(json, 'x/config.json'),
      (error: { code?: string; message: string }) => error.code === 'ERR_CONFIG' && pattern.test(error.message),
    )
  refused([], /not a JSON object/)
  refused({}, /x\/config.json: model_type; expected "gpt_bigcode"/)
  refused({ ...golden, model_type: 'llama' }, /model_type.*"llama"/)
  refused({ ...golden, activation_function: 'relu' }, /activationFunction.*gelu_pytorch_tanh.*"relu"/)
  refused({ ...golden, activation_function: 'toString' }, /activationFunction/)
  refused({ ...golden, n_head: 5 }, /nHead; expected a divisor of nEmbd 64/)
  refused({ ...golden, n_embd: 48 }, /head width that is a multiple of 8.*found 12/)
  refused({ ...golden, n_layer: -1 }, /nLayer/)
  refused({ ...golden, n_embd: 64.5 }, /nEmbd/)
  refused({ ...golden, resid_pdrop: 1 }, /residPdrop/)
  refused({ ...golden, multi_query: 'yes' }, /multiQuery/)
  refused({ ...golden, add_cross_attention: true }, /add_cross_attention/)
  assert.throws(() => completeConfig({ nLayers: 3 } as never), /nLayers.*unknown field/)
})

test.run()
