import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findFiles, instructionPrompt, type ReadOptions, readDocuments, symbolShare } from '../../src/data/index.ts'
import type { AuroraError } from '../../src/errors.ts'
import { temporaryFolder } from '../support/folder.ts'
import { refuses } from '../support/refuses.ts'

const folder = temporaryFolder()
const at = (name: string) => join(folder, name)
function put(name: string, content: string | Uint8Array): string {
  mkdirSync(join(at(name), '..'), { recursive: true })
  writeFileSync(at(name), content)
  return at(name)
}

async function texts(patterns: string | string[], options?: ReadOptions): Promise<string[]> {
  const found: string[] = []
  for await (const { text } of readDocuments(patterns, options)) found.push(text)
  return found
}

test('JSON lines: any line ends, blank lines, odd separators, a last line without end, gzip in several members', async () => {
  const lines = ['{"text":"one"}\r', '', '{"text":"two\u2028three\u0085","lang":"en"}', '  ', '{"text":""}', '{"text":"日本"}']
  const path = put('a.jsonl', lines.join('\n'))
  assert.equal(await texts(path), ['one', 'two\u2028three\u0085', '日本'])
  const origins: string[] = []
  for await (const { origin } of readDocuments(path)) origins.push(origin)
  assert.equal(origins, [`${path}:1`, `${path}:3`, `${path}:6`])
  const halves = [`${lines.slice(0, 3).join('\n')}\n`, lines.slice(3).join('\n')]
  assert.equal(await texts(put('b.jsonl.gz', Buffer.concat(halves.map(half => gzipSync(half))))), [
    'one',
    'two\u2028three\u0085',
    '日本',
  ])
})

test('long lines cross the reading buffer', async () => {
  const long = 'ä'.repeat(200_000)
  assert.equal(await texts(put('long.jsonl', `{"text":"${long}"}\n{"text":"x"}\n`)), [long, 'x'])
})

test('the text field can be chosen, and instructions are rendered', async () => {
  const path = put('i.jsonl', '{"content":"c"}\n{"instruction":"Add 1 and 2.","response":"3","lang":"en"}\n')
  assert.equal(await texts(path, { field: 'content' }), ['c', '### Instruction:\nAdd 1 and 2.\n### Response:\n3'])
  assert.is(instructionPrompt('x'), '### Instruction:\nx\n### Response:\n')
})

test('any other file is one document; folders and globs come in the order of their paths', async () => {
  put('tree/b.py', 'b\n')
  put('tree/a/z.ts', 'z')
  put('tree/a/node_modules/m.js', 'hidden')
  put('tree/.git/config', 'hidden')
  put('tree/c.txt.gz', gzipSync('c'))
  put('tree/empty.txt', ' \n')
  assert.equal(await texts(at('tree')), ['z', 'b\n', 'c'])
  assert.equal(await texts(at('tree/**/*.{ts,py}')), ['z', 'b\n'])
  assert.equal(await texts([at('tree/b.py'), at('tree/**/*.{ts,py}')]), ['b\n', 'z'], 'each file once')
  assert.equal(await texts(at('tree'), { ignore: ['**/*.py'] }), ['z', 'c'])
  put('odd/[x].txt', 'odd name')
  assert.equal(await findFiles(at('odd/[x].txt')), [at('odd/[x].txt')])
  await refuses(() => texts(at('none/*.txt')), 'ERR_FILE_NOT_FOUND', /none/)
})

test('what is bad is named by file and line, and thrown or left out as asked', async () => {
  const path = put(
    'bad.jsonl',
    Buffer.from('{"text":"1"}\n{"text":\n[]\n{"text":5}\nnull\n{"text":"\xff"}\n{"text":"7"}\n', 'latin1'),
  )
  await refuses(() => texts(path), 'ERR_DATA', /bad\.jsonl:2: not JSON/)
  const problems: AuroraError[] = []
  assert.equal(await texts(path, { onProblem: problem => problems.push(problem) }), ['1', '7'])
  assert.equal(
    problems.map(({ message }) => /bad\.jsonl:(\d: [^;]+)/.exec(message)![1]),
    ['2: not JSON', '3: no text', '4: no text', '5: no text', '6: not text'],
  )
  const binary = put('image.bin', Uint8Array.of(1, 0, 2))
  const zipped = gzipSync('{"text":"a"}\n'.repeat(10_000))
  const cut = put('cut.jsonl.gz', zipped.subarray(0, zipped.length - 20))
  const fake = put('fake.jsonl.gz', 'not gzip')
  for (const file of [binary, cut, fake]) {
    const found: AuroraError[] = []
    await texts(file, { onProblem: problem => found.push(problem) })
    assert.is(found.length, 1, file)
    assert.match(found[0]!.message, file)
  }
})

test('filters drop texts of digits and symbols, and what a function refuses', async () => {
  assert.is(symbolShare('ab 12'), 0.4)
  assert.is(symbolShare('हिन्दी é'), 0, 'vowel signs and accents are part of letters')
  assert.is(symbolShare(''), 0)
  assert.is(symbolShare('👩'), 1)
  const path = put('f.jsonl', '{"text":"plain words"}\n{"text":"0101 ## 22 ;;"}\n{"text":"words again"}\n')
  const dropped: string[] = []
  const options = { maxSymbolShare: 0.3, filter: ({ text }: { text: string }) => !text.endsWith('again') }
  assert.equal(await texts(path, { ...options, onDropped: ({ text }) => dropped.push(text) }), ['plain words'])
  assert.equal(dropped, ['0101 ## 22 ;;', 'words again'])
})

test.run()
