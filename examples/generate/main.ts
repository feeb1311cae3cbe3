/**
 * Continues a prompt with a model folder (Hugging Face's layout), the text streamed as it is written.
 * Run it with `npx tsx examples/generate/main.ts <model folder> "<prompt>"`.
 */
import { GPTBigCode, generateStream, Tokenizer } from 'aurora-m'

const [folder, prompt = 'def hello():\n'] = process.argv.slice(2)
if (!folder) throw new Error('usage: npx tsx examples/generate/main.ts <model folder> "<prompt>"')

const tokenizer = await Tokenizer.fromFile(folder)
const model = await GPTBigCode.fromPretrained(folder)
process.stdout.write(prompt)
for await (const piece of generateStream(model, tokenizer, prompt, { maxNewTokens: 64, temperature: 0.7, topP: 0.95, seed: 1 })) {
  process.stdout.write(piece)
}
process.stdout.write('\n')
model.dispose()
