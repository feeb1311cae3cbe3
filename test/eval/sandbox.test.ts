import { existsSync, readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Execution, executePrograms, type SandboxOptions, sandboxInfo } from '../../src/eval/code/sandbox.ts'
import { temporaryFolder } from '../support/folder.ts'
import { refuses } from '../support/refuses.ts'

// The sandbox needs python3: where there is none, the one thing to hold is that it says so (the last test).
// Its working folders go where nothing else is: so one left behind is seen.
const folder = temporaryFolder()
process.env.TMPDIR = folder
const info = await sandboxInfo().catch(() => undefined)
const sandboxTest = info ? test : test.skip

const quick: SandboxOptions = { timeout: 10, memory: 256 * 2 ** 20, output: 4096 }
const run = async (program: string, options = quick): Promise<Execution> => (await executePrograms([program], options))[0]!

sandboxTest('right, wrong and broken programs', async () => {
  const programs = [
    'assert 1 + 1 == 2\n',
    'assert 1 + 1 == 3, "sum"\n',
    'raise KeyError("x")\n',
    'def f(:\n',
    'x = [0] * 3\nprint(x[5])\n',
    'import json, re, math, random, collections\nassert json.loads("[1]") == [1]\n',
  ]
  const outcomes = await executePrograms(programs, quick)
  assert.equal(
    outcomes.map(each => each.outcome),
    ['passed', 'failed', 'error', 'error', 'error', 'passed'],
  )
  assert.match(outcomes[1]!.detail, 'sum')
  assert.match(outcomes[3]!.detail, 'SyntaxError')
})

sandboxTest('leaving early is no pass', async () => {
  for (const program of [
    'import sys\nsys.exit(0)\n',
    'raise SystemExit\n',
    'import os\nos._exit(0)\n',
    'quit = exit = None\nraise GeneratorExit\n',
    'import os\nos.write(3, b"0" * 32)\nos._exit(0)\n',
    'import os\nos.kill(os.getpid(), 9)\n',
  ]) {
    assert.is.not((await run(program)).outcome, 'passed', program)
  }
  // Neither is forging the report beside the true nonce.
  assert.is.not((await run('import os\nos.write(3, b"x")\n')).outcome, 'passed')
})

sandboxTest('endless loops are ended, asleep or busy', async () => {
  const begun = Date.now()
  const [busy, asleep] = await executePrograms(['while True: pass\n', 'import time\ntime.sleep(60)\n'], { ...quick, timeout: 1 })
  assert.is(busy!.outcome, 'timeout')
  assert.is(asleep!.outcome, 'timeout')
  assert.ok(Date.now() - begun < 15_000)
})

sandboxTest('memory, recursion and output are bounded', async () => {
  const memory = await run('x = bytearray(1 << 30)\n')
  assert.is(memory.outcome, 'error')
  assert.match(memory.detail, 'MemoryError')
  assert.match((await run('def f(n): return f(n + 1)\nf(0)\n')).detail, 'RecursionError')
  assert.is((await run('while True: print("flood" * 100)\n')).outcome, 'output')
  assert.is((await run('import sys\nwhile True: sys.stderr.write("flood" * 100)\n')).outcome, 'output')
  assert.is((await run('print("a little")\nassert input is not None\n')).outcome, 'passed')
  assert.match((await run('input()\n')).detail, 'EOFError')
})

sandboxTest('no processes, no threads', async () => {
  // Bounded on purpose: if the sandbox failed, eight processes would be the end of it.
  const fork = 'import os\nfor _ in range(3):\n    os.fork()\n'
  assert.match((await run(fork)).detail, /PermissionError|BlockingIOError/)
  for (const program of [
    'import subprocess\nsubprocess.run(["true"])\n',
    'import os\nos.system("true")\n',
    'import os\nos.execv("/bin/true", ["true"])\n',
    'import _posixsubprocess\n',
    'import ctypes\n',
  ]) {
    const { outcome, detail } = await run(program)
    assert.is(outcome, 'error', program)
    assert.match(detail, /refuses/)
  }
  const thread = 'import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()\n'
  if (info?.processesLimited) assert.is((await run(thread)).outcome, 'error')
})

sandboxTest('no files', async () => {
  const victim = join(folder, 'victim')
  const programs = [
    `open(${JSON.stringify(victim)}, "w")\n`,
    `import os\nos.open(${JSON.stringify(victim)}, os.O_CREAT | os.O_WRONLY)\n`,
    `import os\nos.mkdir(${JSON.stringify(victim)})\n`,
    `import pathlib\npathlib.Path(${JSON.stringify(victim)}).write_text("x")\n`,
    'open("here.txt", "w")\n',
    'print(open("/etc/passwd").read())\n',
    'import os\nopen(os.__file__ + "/../../../../etc/passwd")\n',
    'import os\nos.remove("/etc/passwd")\n',
    'import shutil\nshutil.rmtree("/nowhere")\n',
  ]
  for (const [i, { outcome, detail }] of (await executePrograms(programs, quick)).entries()) {
    assert.is(outcome, 'error', programs[i])
    assert.match(detail, /refuses/, programs[i])
  }
  assert.not(existsSync(victim))
  assert.equal(readdirSync(folder), [])
})

sandboxTest('no sockets', async () => {
  let visits = 0
  const server = createServer(() => visits++).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const port = (server.address() as { port: number }).port
  const program = `import socket\nsocket.create_connection(("127.0.0.1", ${port}), 1)\n`
  assert.is((await run(program)).outcome, 'error')
  assert.is(visits, 0)
  server.close()
})

sandboxTest('limits hold beneath the audit hook, and the environment is bare', async () => {
  const program = `import resource, os
assert resource.getrlimit(resource.RLIMIT_NPROC) == (0, 0)
assert resource.getrlimit(resource.RLIMIT_FSIZE) == (0, 0)
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
assert resource.getrlimit(resource.RLIMIT_CPU)[1] <= 10
assert resource.getrlimit(resource.RLIMIT_AS)[1] <= ${256 * 2 ** 20}
assert set(os.environ) <= {"PATH", "LANG", "LC_CTYPE"}, os.environ
`
  // Reading limits raises no audit event; lowering or raising them does.
  assert.equal(await run(program), { outcome: 'passed', detail: '' })
  assert.match((await run('import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (0, 0))\n')).detail, /refuses/)
})

sandboxTest('an aborted run rejects with the reason and leaves nothing running', async () => {
  const abort = new AbortController()
  const begun = Date.now()
  const reason = new Error('enough')
  setTimeout(() => abort.abort(reason), 300)
  const programs = ['import time\ntime.sleep(30)\n', 'while True: pass\n', 'pass\n']
  assert.is(await executePrograms(programs, { timeout: 30, signal: abort.signal }).catch(error => error), reason)
  assert.ok(Date.now() - begun < 10_000)
})

test('a missing interpreter is named', async () => {
  await refuses(() => sandboxInfo('python-that-is-not-there'), 'ERR_PYTHON_MISSING', /python-that-is-not-there/)
})

test.run()
