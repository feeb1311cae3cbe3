/** tokenizer.json of StarCoder-family models: encode, byte-exact decode, train. */
export { StreamDecoder } from './stream-decoder.ts'
export {
  type DecodeOptions,
  defaultSpecialTokens,
  type EncodeOptions,
  type FIMTokens,
  Tokenizer,
  type TokenizerTraining,
} from './tokenizer.ts'
