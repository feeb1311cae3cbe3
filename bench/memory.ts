/** What a training step holds at its peak, against a formula of the model's shape. */
import { trainingBytes } from '../src/models/index.ts'
import type { TrainingMemory, TrainingMemoryCase } from './children/training-memory.ts'
import { runChild } from './harness/child.ts'
import { shapes } from './harness/models.ts'
import { floatTypes, type Question } from './harness/question.ts'
import { atMost, type Row } from './harness/report.ts'

const cases = [
  { shape: shapes['110M'], length: 512, sequences: 2 },
  { shape: shapes.small, length: 256, sequences: 8 },
]
const quickCases = [{ shape: shapes.tiny, length: 64, sequences: 2 }]

export const memory: Question = {
  name: 'memory',
  asks: 'most memory of a training step in MiB: of tensors, and of the whole process (without what Node takes), against the formula trainingBytes',
  answer: async ({ quick, wanted }) => {
    const rows: Row[] = []
    for (const { shape, length, sequences } of quick ? quickCases : cases)
      for (const dtype of floatTypes)
        for (const checkpointing of [false, true]) {
          const what = `${dtype} ${shape.name}, ${sequences} × ${length} tokens${checkpointing ? ', checkpointing' : ''}`
          if (!wanted(what)) continue
          rows.push(await ask(what, { config: { ...shape.config, nPositions: length }, dtype, checkpointing, length, sequences }))
        }
    return rows
  },
}

async function ask(what: string, one: TrainingMemoryCase): Promise<Row> {
  const { config, dtype, checkpointing, length, sequences } = one
  const expected = trainingBytes(config, { dtype, checkpointing, rows: length * sequences })
  const found = await runChild<TrainingMemory>('training-memory.ts', one)
  const mebi = (bytes: number) => bytes / 2 ** 20
  return {
    what,
    numbers: {
      parameters: mebi(expected.parameters),
      gradients: mebi(expected.gradients),
      optimizer: mebi(expected.moments + expected.master),
      activations: mebi(expected.activations),
      formula: mebi(expected.total),
      tensors: mebi(found.tensors),
      process: mebi(found.process),
    },
    targets: [
      atMost('tensors', 1.1, found.tensors / expected.total, '×'),
      atMost('process', 1.1, found.process / expected.total, '×'),
    ],
  }
}
