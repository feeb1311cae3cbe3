/** The report on GPU kernels: what it reads in a compiler's words, and what it takes for a fault. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fault, parseKernels, shortName } from '../../scripts/kernel-resources.ts'

const remarks = (symbol: string, vgprSpills = 0, scratch = 0) =>
  Object.entries({
    SGPRs: 60,
    VGPRs: 148,
    AGPRs: 4,
    'ScratchSize [bytes/lane]': scratch,
    'Occupancy [waves/SIMD]': 3,
    'SGPRs Spill': 0,
    'VGPRs Spill': vgprSpills,
    'LDS Size [bytes/block]': 512,
  }).reduce(
    (text, [label, value]) =>
      `${text}native/hip/gemm/x.h:70:1: remark:     ${label}: ${value} [-Rpass-analysis=kernel-resource-usage]\nAURORA_KERNEL(256) void tileKernel() {\n^\n`,
    `native/hip/gemm/x.h:70:1: remark: Function Name: ${symbol} [-Rpass-analysis=kernel-resource-usage]\n`,
  )
const assembler = (symbol: string, instructions: string[]) =>
  `\t.globl\t${symbol}\n${symbol}:                        ; @${symbol}\n${instructions.map(text => `\t${text}\n`).join('')}\ts_endpgm\n.Lfunc_end0:\n`

test('remarks that name their place behind the word, as those of a build with kept files do, are read alike', () => {
  const text = assembler('only', ['s_nop 0'])
  const behind = remarks('only', 3).replace(/^(\S+:) remark: /gm, 'remark: $1 ')
  assert.match(behind, /^remark: native\S+ Function Name: only/)
  assert.equal(parseKernels('gemm/x.hip.cpp', behind, text), parseKernels('gemm/x.hip.cpp', remarks('only', 3), text))
})

test('remarks and assembler text of several kernels are read each by itself', () => {
  const words = `warning: something else\n${remarks('first')}${remarks('second', 7, 32)}4 warnings generated.\n`
  const text = `\t.text\n${assembler('first', ['v_mfma_f32_16x16x16bf16_1k v[0:3], v[4:5], v[6:7], v[0:3]', 'v_add_u32_e32 v0, v1, v2'])}${assembler('second', ['s_nop 0'])}`
  const common = { file: 'gemm/x.hip.cpp', sgprs: 60, vgprs: 148, agprs: 4, sgprSpills: 0, shared: 512, waves: 3 }
  assert.equal(parseKernels('gemm/x.hip.cpp', words, text), [
    { ...common, symbol: 'first', vgprSpills: 0, scratch: 0, matrix: 1 },
    { ...common, symbol: 'second', vgprSpills: 7, scratch: 32, matrix: 0 },
  ])
  assert.equal(parseKernels('elementwise/x.hip.cpp', 'no kernels here\n', ''), [])
  assert.throws(() => parseKernels('gemm/x.hip.cpp', remarks('first').replace('AGPRs', 'Other'), text), /lack 'AGPRs'/)
  assert.throws(() => parseKernels('gemm/x.hip.cpp', remarks('third'), text), /lacks third/)
})

test('names lose their namespaces and parameters', () => {
  const long =
    'void aurora::hip::(anonymous namespace)::thinKernel<aurora::bf16, (aurora::Activation)1>(aurora::hip::Product<aurora::bf16>)'
  assert.is(shortName(long), 'thinKernel<bf16, (Activation)1>')
  assert.is(shortName('aurora::hip::addKernel(float*, long)'), 'addKernel')
  assert.is(shortName('void aurora::hip::flash::attentionKernel<float, 64>(int)'), 'attentionKernel<float, 64>')
})

test('spills are faults in the matrix families, and so is a bf16 matrix kernel without the matrix unit', () => {
  const kernel = (file: string, vgprSpills: number, instructions: string[], scratch = 0) =>
    parseKernels(file, remarks('k', vgprSpills, scratch), `\n${assembler('k', instructions)}`)[0]!
  const mfma = ['v_mfma_f32_16x16x16bf16_1k v[0:3], v[4:5], v[6:7], v[0:3]']
  assert.is(fault(kernel('gemm/tile.hip.cpp', 0, mfma), 'tileKernel<bf16, true>'), null)
  assert.match(fault(kernel('gemm/tile.hip.cpp', 3, mfma), 'tileKernel<bf16, true>')!, /spills 3 vector registers/)
  assert.match(fault(kernel('loss/loss.hip.cpp', 0, [], 16), 'crossEntropyKernel<float>')!, /16 bytes a lane/)
  assert.match(fault(kernel('attention/attention.hip.cpp', 0, []), 'attentionKernel<bf16, 64>')!, /matrix unit/)
  assert.is(fault(kernel('attention/attention.hip.cpp', 0, []), 'attentionKernel<float, 64>'), null)
  assert.is(fault(kernel('gemm/gemm.hip.cpp', 0, []), 'sumSlicesKernel<bf16>'), null)
  assert.is(fault(kernel('norm/norm.hip.cpp', 5, []), 'normKernel<bf16>'), null)
})

test.run()
