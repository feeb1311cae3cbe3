/** Parsers of option values that several verbs take: a wrong one is an error of the command line (exit code 2). */
import { type Command, InvalidArgumentError } from 'commander'

export function positive(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected an integer of at least 1.')
  return value
}

export function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('expected a whole number.')
  return value
}

export function nonNegative(text: string): number {
  const value = Number(text)
  if (!(value >= 0) || !Number.isFinite(value) || text.trim() === '')
    throw new InvalidArgumentError('expected a number of at least 0.')
  return value
}

export function share(text: string): number {
  const value = nonNegative(text)
  if (value > 1) throw new InvalidArgumentError('expected a number between 0 and 1.')
  return value
}

export function dtype(text: string): string {
  if (text !== 'f32' && text !== 'bf16') throw new InvalidArgumentError('expected f32 or bf16.')
  return text
}

/** Collects the values of an option that may be given several times. */
export const collect = (value: string, earlier: string[] = []) => [...earlier, value]

/** The options of ModelFlags. */
export function addModelOptions(command: Command): Command {
  return command
    .option('--device <name>', 'where it runs', 'cpu')
    .option('--dtype <type>', 'f32 or bf16 (default: f32)', dtype)
    .option('--tokenizer <path>', "a tokenizer.json or a folder with one (default: the model's)")
}
