import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { native } from '../../src/native.ts'

test('the add-on exports exactly what src/native.ts declares', () => {
  const source = readFileSync(new URL('../../src/native.ts', import.meta.url), 'utf8')
  const surface = /export interface Native \{\n(.*?)\n\}/s.exec(source)![1]!
  const declared = [...surface.matchAll(/^ {2}(\w+)\(/gm)].map(match => match[1])
  assert.ok(declared.length > 30, 'the interface was found')
  assert.equal(Object.keys(native).sort(), declared.sort())
})

test('versions', () => {
  const { addon, napi, compiler } = native.versions()
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  assert.is(addon, version)
  assert.is(napi, 9)
  assert.match(compiler, /^(GCC|Clang) \d+/)
})

test.run()
