/** Instructions with their responses, in the form that the model is trained and asked in. */

export interface Instruction {
  readonly instruction: string
  readonly response: string
}

/** What stands before a response: a model is asked with this text. */
export function instructionPrompt(instruction: string): string {
  return `### Instruction:\n${instruction}\n### Response:\n`
}

/** An instruction document to train on. */
export function renderInstruction({ instruction, response }: Instruction): string {
  return instructionPrompt(instruction) + response
}

export function isInstruction(record: unknown): record is Instruction {
  if (typeof record !== 'object' || record === null) return false
  const { instruction, response } = record as Record<string, unknown>
  return typeof instruction === 'string' && typeof response === 'string'
}
