/** The child of kill.test.ts: runs a recipe, going on from its last checkpoint, and says on stdout what it is doing. */
import { setTimeout } from 'node:timers/promises'
import { type Evaluator, runRecipe } from '../../../src/train/index.ts'

/** Stands for an evaluation: a number that depends on every parameter, and takes a moment. */
const weightSum: Evaluator = {
  name: 'bits-per-byte',
  async evaluate({ model, onProgress }) {
    onProgress?.(0)
    await setTimeout(20)
    const weights = (await model.parameters.flat.read()) as Float32Array
    return { sum: weights.reduce((sum, value) => sum + value, 0) }
  },
}

await runRecipe(process.argv[2]!, {
  resume: true,
  evaluators: [weightSum],
  onProgress: event => process.stdout.write(`${event.kind}\n`),
})
process.stdout.write('finished\n')
