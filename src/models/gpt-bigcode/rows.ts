import { AuroraError } from '../../errors.ts'
import type { GPTBigCodeConfig } from './config.ts'

/** N = B·T rows: the tokens of all sequences of a batch, one after another. */
export interface TokenRows {
  /** [N] */
  tokens: Int32Array
  /** [N], places within their documents or sequences, below nPositions. */
  positions: Int32Array
  /** [N], non-decreasing: the first row that row i attends to, i.e. the start of its document. */
  firstRow: Int32Array
}

export interface TrainingRows extends TokenRows {
  /** [N], the token to be predicted; −1: none. */
  targets: Int32Array
  /** [N], the objective is Σ weights[i]·loss[i]. */
  weights: Float32Array
}

/** Rows of whole sequences, each one document: positions from 0. */
export function rowsOf(sequences: readonly ArrayLike<number>[]): TokenRows {
  const size = sequences.reduce((sum, sequence) => sum + sequence.length, 0)
  const rows = { tokens: new Int32Array(size), positions: new Int32Array(size), firstRow: new Int32Array(size) }
  let start = 0
  for (const sequence of sequences) {
    for (let t = 0; t < sequence.length; t++) {
      rows.tokens[start + t] = sequence[t]!
      rows.positions[start + t] = t
      rows.firstRow[start + t] = start
    }
    start += sequence.length
  }
  return rows
}

/** Refuses rows that the model cannot take, before anything is computed. */
export function checkRows(config: GPTBigCodeConfig, rows: TokenRows & Partial<TrainingRows>): void {
  const { tokens, positions } = rows
  for (const [name, array] of Object.entries({
    positions,
    firstRow: rows.firstRow,
    targets: rows.targets,
    weights: rows.weights,
  })) {
    if (array !== undefined && array.length !== tokens.length) {
      throw new AuroraError({
        code: 'ERR_SHAPE',
        message: `${name} do not fit the tokens`,
        expected: `${tokens.length}`,
        found: `${array.length}`,
      })
    }
  }
  for (let i = 0; i < tokens.length; i++) {
    if (!(positions[i]! >= 0 && positions[i]! < config.nPositions))
      throw positionError(config, `position ${positions[i]} in row ${i}`)
    if (!(tokens[i]! >= 0 && tokens[i]! < config.vocabSize)) throw tokenError(config, `${tokens[i]} in row ${i}`)
    if (rows.targets !== undefined && rows.targets[i]! >= config.vocabSize)
      throw tokenError(config, `target ${rows.targets[i]} in row ${i}`)
  }
}

export function positionError(config: GPTBigCodeConfig, found: string): AuroraError {
  return new AuroraError({
    code: 'ERR_SEQUENCE_LENGTH',
    message: 'the sequence is longer than the model can take',
    expected: `positions below ${config.nPositions} (n_positions)`,
    found,
    hint: 'cut the text, or use a model with a longer position table',
  })
}

function tokenError(config: GPTBigCodeConfig, found: string): AuroraError {
  return new AuroraError({
    code: 'ERR_INDEX',
    message: 'a token id lies outside the vocabulary',
    expected: `ids below ${config.vocabSize}`,
    found,
    hint: 'was the text encoded with another tokenizer?',
  })
}
