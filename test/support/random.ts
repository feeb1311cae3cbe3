/** Fresh random numbers for every run, from a printed seed, so that a failure can be repeated with AURORA_TEST_SEED. */
import { Purpose, RandomStream, randomWords } from '../../src/random/index.ts'
import './device.ts'

export const seed = Number(process.env.AURORA_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31))
console.log(`AURORA_TEST_SEED=${seed}`)

export const random = new RandomStream(randomWords(seed, Purpose.test))
