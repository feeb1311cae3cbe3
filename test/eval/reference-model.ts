/** A GPTBigCode model in float64, from the parameters of a real one: what losses are held against. */
import type { GPTBigCode } from '../../src/models/index.ts'
import { attention, crossEntropy, embedding, layerNorm, linear, type Values } from '../support/reference.ts'

/** −ln p, in float64, of each token of `ids` but the first, given those before it. */
export async function referenceLosses(model: GPTBigCode, ids: readonly number[]): Promise<number[]> {
  const { nEmbd, nHead, nLayer, layerNormEpsilon } = model.config
  const read = async (name: string): Promise<Values> =>
    Float64Array.from((await model.parameters.get(`transformer.${name}`).read()) as Float32Array)
  const inputs = ids.slice(0, -1)
  const tokenTable = await read('wte.weight')
  let h = embedding(
    inputs,
    inputs.map((_, t) => t),
    tokenTable,
    await read('wpe.weight'),
    nEmbd,
  )
  const add = (branch: Values) => h.map((value, i) => value + branch[i]!)
  for (let layer = 0; layer < nLayer; layer++) {
    const of = (name: string) => read(`h.${layer}.${name}`)
    const normed = layerNorm(h, await of('ln_1.weight'), await of('ln_1.bias'), nEmbd, layerNormEpsilon)
    const qkv = linear(normed, await of('attn.c_attn.weight'), await of('attn.c_attn.bias'), nEmbd)
    const heads = { heads: nHead, keyHeads: 1, width: nEmbd / nHead }
    const mixed = attention(
      qkv,
      inputs.map(() => 0),
      heads,
      1 / Math.sqrt(heads.width),
    )
    h = add(linear(mixed, await of('attn.c_proj.weight'), await of('attn.c_proj.bias'), nEmbd))
    const again = layerNorm(h, await of('ln_2.weight'), await of('ln_2.bias'), nEmbd, layerNormEpsilon)
    const inner = linear(again, await of('mlp.c_fc.weight'), await of('mlp.c_fc.bias'), nEmbd, 'geluTanh')
    h = add(linear(inner, await of('mlp.c_proj.weight'), await of('mlp.c_proj.bias'), 4 * nEmbd))
  }
  const final = layerNorm(h, await read('ln_f.weight'), await read('ln_f.bias'), nEmbd, layerNormEpsilon)
  return Array.from(crossEntropy(final, tokenTable, ids.slice(1), nEmbd))
}
