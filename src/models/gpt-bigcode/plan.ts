/**
 * How GPTBigCode is laid out in parallel: which parameter is cut along which axis over a tensor-parallel group (as in Megatron-LM,
 * arXiv 1909.08053; for multi-query attention as in BigCode's fork), and what of it a stage of a pipeline has.
 */
import { namedSpecs, type ParameterSpec, type Split } from '../../nn/index.ts'
import type { GPTBigCodeConfig } from './config.ts'
import { parameterTree } from './parameters.ts'

/** The tied token embedding, which the first stage looks up and the last stage multiplies with. */
export const tokenTable = 'transformer.wte.weight'

/**
 * Tables by rows; the first product of a branch by its outputs, the second by its inputs, so that between them nothing is exchanged. The bias of the
 * second product is added once, on the first rank. Query heads are cut; multi-query's one key and value head is everywhere.
 */
export function tensorSplit(name: string, config: GPTBigCodeConfig): Split {
  const width = config.nEmbd / config.nHead
  if (/\.(ln_1|ln_2|ln_f)\./.test(name)) return { kind: 'whole' }
  if (/\.(wte|wpe)\.weight$/.test(name) || /\.mlp\.c_fc\./.test(name)) return { kind: 'rows' }
  if (/\.attn\.c_attn\./.test(name))
    return config.multiQuery ? { kind: 'rowsAndShared', cut: config.nEmbd, unit: width } : { kind: 'rows', unit: 3 * width }
  if (/\.c_proj\.weight$/.test(name)) return { kind: 'columns', unit: name.includes('.attn.') ? width : 1 }
  return { kind: 'first' } // biases of c_proj
}

/** What a stage of a pipeline has, of the model's layers [first, end). */
export interface StageSpan {
  first: number
  end: number
  /** The last stage has the final norm and the head, whose weights are the token table. */
  last: boolean
}

/** The logical parameters of a stage, in the model's order, each with its index in the whole model. */
export function* stageParameters(
  config: GPTBigCodeConfig,
  { first, end, last }: StageSpan,
): Iterable<[name: string, spec: ParameterSpec, index: number]> {
  let index = 0
  for (const [name, spec] of namedSpecs(parameterTree(config))) {
    const layer = /^transformer\.h\.(\d+)\./.exec(name)
    const here = layer
      ? Number(layer[1]) >= first && Number(layer[1]) < end
      : name === tokenTable
        ? first === 0 || last
        : name.startsWith('transformer.wpe.')
          ? first === 0
          : last
    if (here) yield [name, spec, index]
    index++
  }
}
