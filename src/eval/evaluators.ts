/** The evaluations in the form the trainer takes: measured at points of a run, results stored as JSON. */
import { AuroraError } from '../errors.ts'
import type { Evaluator } from '../train/index.ts'
import { type BitsPerByteOptions, bitsPerByte, type DomainBits } from './bits-per-byte.ts'
import { type CodeEvaluationOptions, type CodeResult, evaluateCode, requireCodeExecution } from './code/evaluate.ts'

export type BitsPerByteResult = {
  kind: 'bits-per-byte'
  domains: Record<string, DomainBits>
}

export interface BitsPerByteEvaluatorOptions extends Omit<BitsPerByteOptions, 'signal' | 'onProgress'> {
  /** Default 'bits-per-byte'. */
  name?: string
  /** Corpora to measure; default all that hold documents out. */
  domains?: readonly string[]
}

/** Measures held-out bits per byte of every domain: a {@link BitsPerByteResult}. */
export function bitsPerByteEvaluator(options: BitsPerByteEvaluatorOptions = {}): Evaluator {
  return {
    name: options.name ?? 'bits-per-byte',
    async evaluate({ model, tokenizer, heldOut, signal, onProgress }): Promise<BitsPerByteResult> {
      const names = options.domains ?? Object.keys(heldOut)
      const domains: Record<string, DomainBits> = {}
      for (const [i, name] of names.entries()) {
        const dataset = heldOut[name]
        if (dataset === undefined) {
          throw new AuroraError({
            code: 'ERR_INVALID_ARGUMENT',
            message: `bits per byte: no held-out documents of "${name}"`,
            expected: Object.keys(heldOut).join(', ') || 'a corpus with a held-out share',
            found: name,
          })
        }
        domains[name] = await bitsPerByte(model, tokenizer, dataset, {
          ...options,
          signal,
          onProgress: done => onProgress?.((i + done) / names.length),
        })
      }
      return { kind: 'bits-per-byte', domains }
    },
  }
}

export interface CodeEvaluatorOptions extends Omit<CodeEvaluationOptions, 'signal' | 'onProgress'> {
  /** Default 'code'. */
  name?: string
}

/** Runs a code suite: a {@link CodeResult}. Throws at once when code execution is not allowed, not hours into a run. */
export function codeEvaluator(options: CodeEvaluatorOptions): Evaluator {
  requireCodeExecution(options.allowCodeExecution)
  return {
    name: options.name ?? 'code',
    evaluate({ model, tokenizer, signal, onProgress }): Promise<CodeResult> {
      return evaluateCode(model, tokenizer, { ...options, signal, onProgress })
    },
  }
}
