export { Purpose, philox, RandomStream, type RandomWords, randomWords } from './philox.ts'
