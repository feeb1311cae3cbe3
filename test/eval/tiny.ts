/** A tokenizer and a random model, small enough to make in every test file that needs them. */
import { GPTBigCode } from '../../src/models/index.ts'
import { Tokenizer } from '../../src/tokenizer/index.ts'

const texts = [
  'def add(x, y):\n    """Return x plus y."""\n    return x + y\n',
  'The quick brown fox jumps over the lazy dog, and the dog sleeps on.',
  'Hyvää huomenta, mitä kuuluu? Kiitos, hyvää.',
  'नमस्ते, आप कैसे हैं? こんにちは、お元気ですか。 Xin chào, bạn khỏe không?',
]

/** All 512 entries: the vocabulary of the golden model. */
export function tinyTokenizer(): Promise<Tokenizer> {
  const words = Array.from({ length: 400 }, (_, i) => `w${String.fromCharCode(97 + (i % 26), 97 + (i % 23), 97 + (i % 7))}`)
  return Tokenizer.train([...texts, words.join(' ')], { vocabSize: 512, minFrequency: 1 })
}

/** Random weights, large enough that its choices differ. */
export function tinyModel(tokenizer: Tokenizer, nPositions = 48): GPTBigCode {
  return GPTBigCode.create(
    { vocabSize: tokenizer.vocabSize, nPositions, nEmbd: 32, nLayer: 2, nHead: 2, initializerRange: 0.25 },
    { seed: 11 },
  )
}
