/** One round of the fuzz test, in a process of its own: `fuzz-calls.ts SEED CALLS FILE`; FILE holds the call being made, for a crash. */
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { inspect } from 'node:util'
import { AuroraError } from '../../src/errors.ts'
import { type Id, native } from '../../src/native.ts'
import { RandomStream, randomWords } from '../../src/random/index.ts'

const [seed, calls, file] = process.argv.slice(2)
const random = new RandomStream(randomWords(BigInt(seed!), 0))
const pick = <T>(values: readonly T[]): T => values[random.below(values.length)]!
const chance = (p: number) => random.uniform() < p

const functions = native as unknown as Record<string, (...args: unknown[]) => unknown>
const device = native.openDevice('cpu')
const second = native.createStream(device)

// --- tensors of every kind, some of them freed ---------------------------------------------------------------------------
const sizes = [0, 1, 2, 3, 5, 8, 16, 24]
const shape = () => Array.from({ length: random.below(5) }, () => pick(sizes))
const live: Id[] = []
const stale: Id[] = []
const communicators = [native.beginCommunicator(device, 'single', 0, 1, '', 1, 'fuzz', [0]).id]

/** Frees one of them. */
function release(): void {
  const [id] = live.splice(random.below(live.length), 1)
  native.free(id!)
  stale.push(id!)
}

function tensor(): Id {
  if (live.length > 60) release()
  // Few shapes, so that the tensors of a call often fit each other.
  const id = native.alloc(
    device,
    pick([0, 0, 0, 1, 2, 2, 3, 4]),
    chance(0.8) ? pick([[4], [4, 8], [8, 8], [8], [4, 24], [2, 3, 8], [1]]) : shape(),
  )
  live.push(id)
  return id
}
const anyTensor = () => (chance(0.7) && live.length > 0 ? pick(live) : tensor())

// --- values that are wrong everywhere, or at least somewhere --------------------------------------------------------------
function detached(): Uint8Array {
  const bytes = new Uint8Array(16)
  structuredClone(bytes, { transfer: [bytes.buffer] })
  return bytes
}
const throwing = () => {
  throw new RangeError('a getter of the program')
}
const junk: (() => unknown)[] = [
  ...[
    NaN,
    Infinity,
    -Infinity,
    -1,
    -0,
    0,
    0.5,
    1,
    1.5,
    2 ** 31,
    2 ** 32,
    2 ** 32 + 1,
    2 ** 53,
    2 ** 53 - 1,
    1e308,
    -(2 ** 63),
    5e-324,
  ].map(x => () => x),
  ...[undefined, null, true, '', '1', 'cpu', 'a'.repeat(10_000), Symbol('s'), 1n, 2n ** 70n].map(x => () => x),
  () => ({}),
  () => [],
  () => throwing,
  () => class {},
  () => new Date(),
  () => new Map(),
  () => Object.create(null),
  () => ({ valueOf: throwing, toString: throwing, [Symbol.toPrimitive]: throwing }),
  () => new Proxy([1, 2, 3], { get: throwing }),
  () => new Proxy({}, { get: throwing, getPrototypeOf: throwing, ownKeys: throwing }),
  () => new Proxy(() => 0, { apply: throwing, construct: throwing }),
  () => Object.defineProperty([1, 2, 3, 4], 1, { get: throwing }),
  () => Object.defineProperty([8, 1, 8], 0, { get: release }),
  () => new Array(3),
  () => new Array(2 ** 32 - 1),
  () => [1, 2, 3, 4, 5, 6, 7, 8],
  () => ['1', {}, null],
  () => [2 ** 20, 2 ** 20, 2 ** 20, 2 ** 20],
  () => new Float32Array(8),
  () => new Float64Array(4).subarray(1),
  () => new BigUint64Array(4),
  () => Buffer.alloc(32),
  () => new DataView(new ArrayBuffer(32), 5),
  () => new Uint8Array(new SharedArrayBuffer(32)),
  () => new ArrayBuffer(32),
  detached,
  () => new DataView(new ArrayBuffer(8)),
  () => pick(stale.length > 0 ? stale : [1]),
  () => anyTensor() + 2 ** 32,
  () => anyTensor() + 1,
  () => anyTensor() / 2,
  () => anyTensor(),
]

// --- values that fit a parameter of a type of src/native.ts ----------------------------------------------------------------
const fitting: Record<string, () => unknown> = {
  Id: anyTensor,
  OptionalId: () => (chance(0.4) ? 0 : anyTensor()),
  DeviceId: () => device,
  StreamId: () => pick([second, second - 1]),
  DTypeCode: () => random.below(5),
  WireCode: () => random.below(6),
  ActivationCode: () => random.below(3),
  ProbeCode: () => random.below(5),
  RandomWords: () => [1, 2, 3, 4].map(() => random.uint32()),
  HeadLayout: () =>
    pick([
      [1, 1, 8],
      [3, 1, 8],
      [1, 1, 16],
      [2, 2, 8],
      [4, 2, 8],
      [0, 0, 0],
      [3, 1, 264],
    ]),
  CommunicatorId: () => pick(communicators),
  CommunicatorKind: () => pick(['single', 'gloo', 'nccl']),
  ReductionCode: () => random.below(2),
  'readonly number[]': shape,
  'readonly ArrayBufferView[]': () => pick([[], [new Uint8Array(16)], [new Uint8Array(300), Buffer.alloc(300)]]),
  ArrayBufferView: () =>
    pick([new Float32Array(4), new Float32Array(32), new Int32Array(4).fill(random.below(9) - 1), Buffer.alloc(64)]),
  number: () => pick([0, 1, 2, 3, 8, 0.1, 0.5, 0.9, 1e-5, -1]),
  string: () => pick(['cpu', 'cpu', '127.0.0.1']),
  boolean: () => chance(0.5),
  'typeof AuroraError': () => AuroraError,
}

/** Parameter types of every function, from the declaration that the names test holds the add-on to. */
function signatures(): [name: string, types: string[]][] {
  const source = readFileSync(new URL('../../src/native.ts', import.meta.url), 'utf8')
  const surface = /export interface Native \{\n(.*?)\n\}/s.exec(source)![1]!
  return Object.keys(native).map(name => {
    const parameters = new RegExp(`^  ${name}\\(([^)]*)\\):`, 'ms').exec(surface)![1]!
    return [name, [...parameters.matchAll(/\w+: ([^,]+)/g)].map(match => match[1]!.trim())]
  })
}

function fit(type: string): unknown {
  const make = fitting[type]
  if (!make) throw new Error(`the fuzz test knows no value of type ${type}`)
  return make()
}

const descriptor = openSync(file!, 'w')
let threw = 0
let succeeded = 0

async function call(name: string, args: unknown[]): Promise<void> {
  // Enough to make the call again; values are shown, never run.
  const shown = `${name}(${args.map(arg => inspect(arg, { depth: 1, showProxy: true, maxStringLength: 20, breakLength: Infinity })).join(', ')})`
  ftruncateSync(descriptor)
  writeSync(descriptor, shown, 0)
  try {
    const result = functions[name]!(...args)
    if (name === 'alloc' || name === 'view') live.push(result as Id)
    if (name === 'beginCommunicator') communicators.push((result as { id: number }).id)
    if (result instanceof Promise) await result
    succeeded++
  } catch (error) {
    if (!(error instanceof AuroraError)) throw new Error(`${shown} threw no AuroraError`, { cause: error })
    if (!error.code.startsWith('ERR_') || !error.message)
      throw new Error(`${shown} threw an error without code or message`, { cause: error })
    threw++
  }
  const freed = name === 'free' ? live.indexOf(args[0] as Id) : -1
  if (freed >= 0) stale.push(...live.splice(freed, 1))
}

const known = signatures()
// Every function with each wrong value in each place, then without arguments, then at random.
for (const [name, types] of known) {
  for (let position = 0; position < types.length; position++)
    for (const wrong of junk)
      await call(
        name,
        types.map((type, i) => (i === position ? wrong() : fit(type))),
      )
  await call(name, [])
}
for (let i = 0; i < Number(calls); i++) {
  const [name, types] = pick(known)
  const wrongness = pick([0, 0, 0, 0.1, 0.5])
  const args = types.map(type => (chance(wrongness) ? pick(junk)() : fit(type)))
  if (chance(0.05)) args.pop()
  if (chance(0.05)) args.push(pick(junk)())
  await call(name, args)
}
closeSync(descriptor)
console.log(threw, succeeded)
