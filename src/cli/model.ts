/** A model folder with its tokenizer, as the verbs take it. */
import { refuseMegatron } from '../checkpoint/index.ts'
import { GPTBigCode } from '../models/index.ts'
import { Tokenizer } from '../tokenizer/index.ts'

export interface ModelFlags {
  device: string
  dtype?: 'f32' | 'bf16'
  tokenizer?: string
}

/** Loads both, calls `use`, and frees the model whatever happens. */
export async function withModel<T>(
  folder: string,
  flags: ModelFlags,
  use: (model: GPTBigCode, tokenizer: Tokenizer) => Promise<T>,
): Promise<T> {
  await refuseMegatron(folder)
  const tokenizer = await Tokenizer.fromFile(flags.tokenizer ?? folder)
  const model = await GPTBigCode.fromPretrained(folder, { device: flags.device, dtype: flags.dtype })
  try {
    return await use(model, tokenizer)
  } finally {
    model.dispose()
  }
}
