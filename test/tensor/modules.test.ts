/** Device modules that are missing, broken, foreign, or whose driver crashes: an error says so, and the program goes on. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { native } from '../../src/native.ts'
import { device, setDefaultDevice, tensor, tryModule } from '../../src/tensor/index.ts'
import { temporaryFolder } from '../support/folder.ts'
import { refuses } from '../support/refuses.ts'

const folder = temporaryFolder()
process.env.AURORA_MODULE_PATH = folder

/** Compiles a shared library of one function or constructor. */
function compile(file: string, source: string): void {
  const { status, stderr } = spawnSync('c++', ['-shared', '-fPIC', '-x', 'c++', '-', '-o', join(folder, file)], {
    input: source,
    encoding: 'utf8',
  })
  assert.is(status, 0, stderr)
}

test('a module that is not there: what was searched, and how to build it', async () => {
  await refuses(() => device('hip:0'), 'ERR_DEVICE', new RegExp(`no file ${folder}/aurora_hip\\.so.*npm run build:hip`))
  assert.equal(
    native.modules().map(({ kind, path }) => [kind, path]),
    [
      ['hip', ''],
      ['cuda', ''],
      ['emulator', ''],
      ['emulator:32', ''],
      ['gloo', ''],
    ],
  )
})

test('a file that does not load: the loader says why', async () => {
  writeFileSync(join(folder, 'aurora_emulator.so'), 'no library')
  await refuses(() => device('emulator'), 'ERR_DEVICE', /does not load: .*(too short|invalid ELF header)/)
})

test('a library that is no module, and a module of another build', async () => {
  compile('aurora_emulator.so', 'extern "C" int something() { return 1; }')
  await refuses(() => device('emulator'), 'ERR_DEVICE', /something else/)
  compile(
    'aurora_emulator32.so',
    'extern "C" const char** aurora_module() { static const char* stamp = "0.0.9/1"; return &stamp; }',
  )
  await refuses(() => device('emulator:32'), 'ERR_DEVICE', /of another build.*npm run build:native/)
})

test('a driver that crashes when it is loaded', async () => {
  compile('aurora_cuda.so', '#include <cstdlib>\nstatic const int crash = (std::abort(), 1);')
  await refuses(() => device('cuda:0'), 'ERR_DEVICE', /a crash by SIGABRT/)
  assert.match(tryModule('cuda').crash ?? '', /SIGABRT/)
  assert.equal([...(await tensor([1, 2]).read())], [1, 2])
})

test('names that are no device', async () => {
  for (const name of ['tpu', 'hip', 'hip:', 'hip:x', 'hip:-1', 'emulator:16', 'cpu:0', ''])
    await refuses(() => device(name), 'ERR_DEVICE', /'cpu', 'hip:0'/)
})

test('the default device', () => {
  assert.is(setDefaultDevice('cpu'), process.env.AURORA_TEST_DEVICE ?? 'cpu')
  assert.is(tensor([1]).device.name, 'cpu')
})

test.run()
