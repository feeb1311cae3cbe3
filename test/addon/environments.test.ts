/** The add-on in worker threads: several at once, ending in every way, with work in flight. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { native } from '../../src/native.ts'
import { cpu, f32, readF32, rejectionOf, runScript } from './support.ts'

/** A worker that runs TypeScript source with `native`, `cpu`, `dtype` and `parentPort` in scope. */
function work(source: string): Worker {
  const here = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)
  const code = `
    import { parentPort } from 'node:worker_threads'
    import { native } from ${here('../../src/native.ts')}
    import { cpu, dtype, f32, readF32 } from ${here('support.ts')}
    ${source}`
  // A worker from source does not inherit the loader of TypeScript, so it registers it first.
  const tsx = JSON.stringify(import.meta.resolve('tsx/esm/api'))
  const loader = `import(${tsx}).then(({ register }) => { register(); return import('data:text/javascript,' + encodeURIComponent(${JSON.stringify(code)})) })`
  return new Worker(loader, { eval: true })
}

/** What the worker posts before it ends; rejects with its error. */
async function result(worker: Worker): Promise<unknown> {
  let posted: unknown
  worker.on('message', message => {
    posted = message
  })
  await once(worker, 'exit')
  return posted
}

const enqueueMuch = `
  const x = native.alloc(cpu, dtype.f32, [1 << 21])
  for (let i = 0; i < 2000; i++) native.fill(x, i)
`

test('several workers compute at once beside the main thread', async () => {
  const workers = Array.from({ length: 4 }, (_, k) =>
    work(`
      const x = f32(Array.from({ length: 1000 }, (_, i) => i))
      for (let i = 0; i < 100; i++) native.add(x, 1, 0, 0, x)
      native.add(x, ${k + 1}, 0, 0, x)
      parentPort.postMessage((await readF32(x))[999])
    `),
  )
  const mine = f32([1])
  const results = await Promise.all(workers.map(result))
  assert.equal(results, [999, 1998, 2997, 3996])
  assert.equal(await readF32(mine), [1], "a worker's tensors and devices are its own")
  native.free(mine)
})

test("another thread's tensor is not this one's", async () => {
  const ids = Array.from({ length: 64 }, () => f32([1]))
  const worker = work(`
    let refused = 0
    for (const id of ${JSON.stringify(ids)}) try { native.describe(id) } catch (error) { refused += error.code === 'ERR_DISPOSED' ? 1 : 0 }
    parentPort.postMessage(refused)
  `)
  assert.is(await result(worker), 64)
  for (const id of ids) native.free(id)
})

test('workers end with work in flight: by running out, by exit, by terminate', async () => {
  for (const ending of [
    '',
    'process.exit(0)',
    'setInterval(() => {}, 1000)',
    'native.synchronize(cpu)',
    'throw new Error("ended")',
  ]) {
    const worker = work(`${enqueueMuch}\nparentPort.postMessage('enqueued')\n${ending}`)
    worker.on('error', () => {})
    const exit = new Promise(resolve => worker.once('exit', resolve))
    await new Promise(resolve => worker.once('message', resolve))
    await setTimeout(Math.random() * 20)
    if (ending.includes('setInterval') || ending.includes('synchronize')) await worker.terminate()
    await exit
  }
  const x = f32([5])
  assert.equal(await readF32(x), [5], 'the main thread works on')
  native.free(x)
})

test('a worker loads the add-on first and ends before the main thread ever does', () => {
  const { status, signal, stdout, stderr } = runWithoutMainAddon(`
    for (let i = 0; i < 3; i++) {
      const worker = new Worker(code, { eval: true, execArgv: [] })
      await once(worker, 'exit')
    }
    await setTimeout(50)
    console.log('alive')
  `)
  assert.is(stdout.trim(), 'alive', stderr)
  assert.is(signal, null)
  assert.is(status, 0)
})

test('process.exit with work in flight is clean', () => {
  for (const ending of [
    'process.exit(7)',
    'native.synchronize(cpu); process.exit(7)',
    'native.read(x, 0); process.exitCode = 7; process.exit()',
  ]) {
    const { status, signal, stderr } = runScript(`${enqueueMuch}\n${ending}`)
    assert.is(signal, null, stderr)
    assert.is(status, 7, stderr)
    assert.is(stderr.trim(), '')
  }
})

test('an uncaught exception with work in flight ends the process as usual', () => {
  const { status, signal, stderr } = runScript(`${enqueueMuch}\nthrow new Error('mine')`)
  assert.is(signal, null)
  assert.is(status, 1)
  assert.match(stderr, /mine/)
})

test('signals end the process with work in flight', () => {
  const { signal } = runScript(`${enqueueMuch}\nprocess.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000)`)
  assert.is(signal, 'SIGTERM')
})

test('a worker ends while it waits for the main thread in a collective', async () => {
  for (const waits of ['allReduce', 'connect']) {
    const { id, address } = native.beginCommunicator(cpu, 'gloo', 0, 2, '127.0.0.1', 60_000, 'threads', [0, 1])
    const worker = work(`
      const { id, address } = native.beginCommunicator(cpu, 'gloo', 1, 2, '127.0.0.1', 60_000, 'threads', [0, 1])
      parentPort.postMessage(address)
      parentPort.once('message', async first => {
        const connected = native.connectCommunicator(id, [new Uint8Array(first), new Uint8Array(address)])
        if (${waits === 'allReduce'}) {
          await connected
          native.allReduce(id, f32([1, 2, 3]), 0)
        }
        parentPort.postMessage('waits')
      })`)
    const [second] = await once(worker, 'message')
    worker.postMessage(address)
    if (waits === 'allReduce') await native.connectCommunicator(id, [new Uint8Array(address), new Uint8Array(second)])
    await once(worker, 'message')
    await setTimeout(50)
    await worker.terminate()
    if (waits === 'connect') continue
    // What had arrived is there; what follows is not.
    const started = performance.now()
    native.allReduce(id, f32([1, 2, 3]), 0)
    native.allReduce(id, f32([1, 2, 3]), 0)
    assert.is((await rejectionOf(native.synchronize(cpu))).code, 'ERR_COMMUNICATION')
    assert.ok(performance.now() - started < 10_000)
    native.closeCommunicator(id)
  }
})

/** A process whose main thread never loads the add-on; \`code\` is a worker's source that does. */
function runWithoutMainAddon(source: string) {
  return runScriptPlain(`
    import { createRequire } from 'node:module'
    import { once } from 'node:events'
    import { setTimeout } from 'node:timers/promises'
    import { Worker } from 'node:worker_threads'
    const root = ${JSON.stringify(new URL('../..', import.meta.url).pathname)}
    const code = \`
      const addon = require('node:module').createRequire(\${JSON.stringify(root + 'package.json')})('node-gyp-build')(\${JSON.stringify(root)})
      addon.initialize(Error)
      const cpu = addon.openDevice('cpu'), x = addon.alloc(cpu, 0, [1 << 16])
      for (let i = 0; i < 100; i++) addon.fill(x, i)
    \`
    ${source}`)
}

function runScriptPlain(source: string) {
  return spawnSync(process.execPath, ['--input-type=module', '-e', source], { encoding: 'utf8', timeout: 120_000 })
}

test.run()
