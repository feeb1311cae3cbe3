/** All-reduce between two processes on this machine, against Gloo's own over loopback and against copying the buffers once. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Reduction } from './children/collectives.ts'
import { measure } from './harness/measure.ts'
import { type Absent, compilePeer, Peer } from './harness/peers.ts'
import { floatTypes, type Question, type Setting, withPeers } from './harness/question.ts'
import type { Row } from './harness/report.ts'

const processes = 2
const sizes = [4, 64, 1024, 16 * 1024, 64 * 1024].map(kibi => kibi * 1024)
/** Whatever the way, each process reads its buffer and writes it. What lies between stays in caches at best. */
const bytesMoved = (bytes: number) => 2 * processes * bytes
/** Calls in a run, of about 50 ms. */
const callsOf = (bytes: number) => Math.max(1, Math.min(200, Math.round(2 ** 26 / bytes)))

export const collectives: Question = {
  name: 'collectives',
  asks: `all-reduce between ${processes} processes of this machine, against Gloo's own over loopback, and against copying their buffers once`,
  answer: setting =>
    withPeers(setting, [gloo], async peers => {
      const children = await start()
      try {
        const rows: Row[] = []
        for (const dtype of floatTypes)
          for (const bytes of setting.quick ? sizes.slice(0, 3) : sizes) {
            const what = `${dtype} ${bytes < 2 ** 20 ? `${bytes / 2 ** 10} KiB` : `${bytes / 2 ** 20} MiB`}`
            if (setting.wanted(what))
              rows.push(await ask(setting, peers, children, what, { dtype, bytes, calls: callsOf(bytes) }))
          }
        return rows
      } finally {
        for (const child of children) child.disconnect()
      }
    }),
}

async function ask(setting: Setting, peers: readonly Peer[], children: ChildProcess[], what: string, reduction: Reduction) {
  const { dtype, bytes, calls } = reduction
  const problem = `${dtype} ${bytes}`
  const able: Peer[] = []
  for (const peer of peers) if (await peer.can(problem)) able.push(peer)
  return measure(setting, {
    what,
    of: 'copy',
    amount: bytesMoved(bytes),
    run: async () => Math.max(...((await tell(children, reduction)) as number[])),
    peers: able.map(peer => peer.contender(problem, calls)),
    repeats: setting.quick ? 3 : 9,
  })
}

/** Two processes with a group of their own. */
async function start(): Promise<ChildProcess[]> {
  const program = join(import.meta.dirname, 'children', 'collectives.ts')
  const children = Array.from({ length: processes }, (_, rank) =>
    fork(program, [String(rank), String(processes)], { execArgv: ['--import', 'tsx'], serialization: 'advanced' }),
  )
  const addresses = await answers(children)
  await tell(children, addresses)
  return children
}

/** Sends to every process, and waits for all their answers. */
function tell(children: ChildProcess[], message: unknown): Promise<unknown[]> {
  const answered = answers(children)
  for (const child of children) child.send(message as object)
  return answered
}

async function answers(children: ChildProcess[]): Promise<unknown[]> {
  const heard = new AbortController()
  const { signal } = heard
  const ended = ([code, by]: unknown[]) => Promise.reject(new Error(`a process ended by ${by ?? code}`))
  try {
    return await Promise.all(
      children.map(child =>
        Promise.race([
          once(child, 'message', { signal }).then(([message]) => message),
          once(child, 'exit', { signal }).then(ended),
        ]),
      ),
    )
  } finally {
    heard.abort()
  }
}

async function gloo(): Promise<Peer | Absent> {
  const program = compilePeer('gloo', ['gloo'])
  if (!program) return { name: 'Gloo', why: 'its headers were not found, or no compiler (apt install g++ libgloo-dev)' }
  return Peer.start('Gloo', [program])
}
