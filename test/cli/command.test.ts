/** The command's frame: help, exit codes, errors with their hints, doctor. */
import { readFile } from 'node:fs/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { version } from '../../src/version.ts'
import { aurora } from './support.ts'

const verbs = ['run', 'launch', 'plan', 'prepare', 'eval', 'redteam', 'generate', 'export', 'report', 'doctor']
test('--help names every verb, and every verb has help with examples', async () => {
  const { code, out } = await aurora(['--help'])
  assert.is(code, 0)
  for (const verb of verbs) assert.match(out, new RegExp(`^  ${verb}\\b`, 'm'))
  for (const verb of verbs) {
    const help = await aurora([verb, '--help'])
    assert.is(help.code, 0, verb)
    assert.match(help.out, /Examples:\n {2}\$ /, verb)
  }
})

test('--version is that of package.json', async () => {
  const { out } = await aurora(['--version'])
  const manifest = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  assert.is(out.trim(), manifest.version)
  assert.is(version, manifest.version)
})

test('a wrong command line exits with 2 and says what is wrong', async () => {
  for (const args of [
    ['fly'],
    ['run'],
    ['run', 'x.yaml', '--max-steps', '0'],
    ['generate', 'x', '--top-p', '2'],
    ['export', 'a', 'b', '--max-shard', '3'],
  ]) {
    const { code, err } = await aurora(args)
    assert.is(code, 2, args.join(' '))
    assert.match(err, /error:/)
  }
})

test('a failure exits with 1 and prints what was expected, found, and a hint', async () => {
  const { code, err } = await aurora(['generate', '/nowhere', '-p', 'x'])
  assert.is(code, 1)
  assert.match(err, /^error .*\/nowhere.*\[ERR_/m)
  assert.not.match(err, /\n +at .*:\d+:\d+/)
  assert.match((await aurora(['--debug', 'generate', '/nowhere', '-p', 'x'])).err, /\n +at .*:\d+:\d+/)
})

test('doctor prints the device, also as JSON', async () => {
  const { code, out } = await aurora(['doctor'])
  assert.is(code, 0)
  assert.match(out, /device cpu .*(generic|avx2|avx512)/)
  const findings = JSON.parse((await aurora(['doctor', '--json'])).out) as { what: string; found: string }[]
  assert.ok(findings.some(({ what, found }) => what === 'aurora-m' && found === version))
})

test('nobody reads what is printed', async () => {
  const { err } = await aurora(['--help'], { started: child => child.stdout!.destroy() })
  assert.is(err, '')
})

test.run()
