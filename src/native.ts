/**
 * The native add-on's surface, typed: every native function once. Nothing above this file knows how the add-on is found
 * or loaded, and only `tensor/`, `ops/` and `parallel/group.ts` call it. Tensors cross as ids (a number that carries a
 * generation, so that a stale or forged one is an error); an optional tensor that is not given crosses as 0.
 *
 * Every function throws an AuroraError for any wrong argument. Operations enqueue on the device's current stream and
 * return at once; their mathematics, shapes and dtypes are the contract in native/core/backend.h, quoted in src/ops/.
 */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AuroraError } from './errors.ts'

/** A tensor's id: slot + 2^32 · generation. Never 0. */
export type Id = number
/** An id, or 0 for "not given". */
export type OptionalId = number
/** A device opened by `openDevice`. */
export type DeviceId = number
/** A stream of a device; every device has one from the start, its default stream. */
export type StreamId = number
/** f32 = 0, bf16 = 1, i32 = 2, u16 = 3, u8 = 4. */
export type DTypeCode = number
/** DTypeCode, or f16 = 5: how bytes from outside are encoded. */
export type WireCode = number
/** none = 0, gelu = 1, geluTanh = 2. */
export type ActivationCode = number
/** multiplyAdd = 0, dotBf16 = 1, read = 2, copy = 3, update = 4. */
export type ProbeCode = number
/** A communicator made by `beginCommunicator`; never used again for another. */
export type CommunicatorId = number
/** 'single': a group of one; 'gloo': CPU tensors, over sockets; 'nccl': GPU tensors, by NVIDIA's NCCL or AMD's RCCL. */
export type CommunicatorKind = 'single' | 'gloo' | 'nccl'
/** sum = 0, max = 1. */
export type ReductionCode = number
/** Philox key and stream (src/random): [key0, key1, stream0, stream1], each an unsigned 32-bit integer. */
export type RandomWords = readonly [number, number, number, number]
/** Query heads, key/value heads (1, or as many as query heads), head width. */
export type HeadLayout = readonly [heads: number, keyHeads: number, width: number]

export interface DeviceInfo {
  name: string
  /** Kernel set in use: 'generic', 'avx2', 'avx512', 'avx512bf16', …; a GPU's architecture: 'gfx90a', 'sm_90'. */
  instructionSet: string
  /** Sets this machine could run; AURORA_ISA selects one. */
  instructionSets: string[]
  /** Of the host, that its operations keep busy. */
  threads: number
  /** Of GPUs only; 0 where the driver does not say. */
  gpu?: {
    product: string
    computeUnits: number
    /** Lanes of a wave. */
    wave: number
    /** Shared memory (LDS) of a block. */
    sharedBytes: number
    memoryBytes: number
    clockMHz: number
    memoryClockMHz: number
    memoryBusBits: number
  }
}

/** A module: a shared library beside the add-on, opened when a device of its kind, or communication through it, is asked for. */
export interface ModuleFile {
  /** Of devices: 'hip', 'cuda', 'emulator' or 'emulator:32'. Of communication: 'gloo'. */
  kind: string
  /** The command that builds it. */
  build: string
  searched: string[]
  /** Where it is; '' when it is in none of them. */
  path: string
}

/** What a module found on this machine. */
export interface ModuleContents {
  devices: DeviceInfo[]
  /** Vendors' libraries it uses; `path` is '' when one was not found, and `error` has the loader's words. */
  libraries: { name: string; path: string; version: string; error: string }[]
}

/** Bytes on a device. `allocated` by live tensors, `reserved` from the system (allocated + cached), `peak` of allocated. */
export interface MemoryStats {
  allocated: number
  reserved: number
  peak: number
  /** Live tensors. */
  tensors: number
}

export interface Native {
  /** Must be called once, before anything else: the class that native errors are made of. */
  initialize(errorClass: typeof AuroraError): void
  /** Version of package and Node-API: for `aurora doctor`. */
  versions(): { addon: string; napi: number; compiler: string }

  // --- devices, streams, memory -------------------------------------------------------------------------------------
  openDevice(name: string): DeviceId
  deviceInfo(device: DeviceId): DeviceInfo
  /** The modules there could be; opens none. AURORA_MODULE_PATH names the folders they are in, unless beside the add-on. */
  modules(): ModuleFile[]
  /** Opens a module and asks its driver. A driver may crash: see tensor/trial.ts. */
  openModule(kind: string): ModuleContents
  memory(device: DeviceId): MemoryStats
  /** Sets `peak` back to `allocated`. */
  resetPeak(device: DeviceId): void
  /** Returns cached blocks to the system, after the device's streams have run dry. */
  trim(device: DeviceId): Promise<void>
  createStream(device: DeviceId): StreamId
  /** The stream that operations on this device use from now on; returns the previous one. */
  setStream(device: DeviceId, stream: StreamId): StreamId
  /** Resolves when all enqueued on the current stream has run; rejects with the first asynchronous error, once. */
  synchronize(device: DeviceId): Promise<void>
  /** A point in the current stream, and waiting for it on (another) current stream. An event that has passed takes no memory. */
  recordEvent(device: DeviceId): number
  waitEvent(device: DeviceId, event: number): void

  // --- tensors ------------------------------------------------------------------------------------------------------
  /** Uninitialised memory. Rank 0 to 4, dimensions ≥ 0. */
  alloc(device: DeviceId, dtype: DTypeCode, shape: readonly number[]): Id
  /** A tensor on the same memory, `offset` elements in. The memory lives until its last tensor is freed. */
  view(x: Id, offset: number, shape: readonly number[]): Id
  free(x: Id): void
  /** Dtype, shape and device of a live tensor; throws ERR_DISPOSED for others. */
  describe(x: Id): { dtype: DTypeCode; shape: number[]; device: DeviceId }
  /** Converts `bytes` (copied before returning), encoded as `wire`, into the tensor; sizes must agree. */
  write(y: Id, bytes: ArrayBufferView, wire: WireCode): void
  /** The tensor's elements, converted to `wire`, in a fresh ArrayBuffer. */
  read(x: Id, wire: WireCode): Promise<ArrayBuffer>

  // --- communication: see native/comm/communicator.h and src/parallel/group.ts ---------------------------------------
  /**
   * This rank's end of a group of `size`. `host` is the local address that Gloo listens on, in digits; no wait takes longer than `timeoutMs`;
   * `name` and `ranks` (of the world, in order) are for errors. What the other ranks must get to know of it is `address`.
   */
  beginCommunicator(
    device: DeviceId,
    kind: CommunicatorKind,
    rank: number,
    size: number,
    host: string,
    timeoutMs: number,
    name: string,
    ranks: readonly number[],
  ): { id: CommunicatorId; address: ArrayBuffer }
  /** Connects it, given all ranks' addresses in order. */
  connectCommunicator(id: CommunicatorId, addresses: readonly ArrayBufferView[]): Promise<void>
  allReduce(id: CommunicatorId, x: Id, reduction: ReductionCode): void
  allGather(id: CommunicatorId, x: Id, y: Id): void
  reduceScatter(id: CommunicatorId, x: Id, y: Id, reduction: ReductionCode): void
  broadcast(id: CommunicatorId, x: Id, root: number): void
  send(id: CommunicatorId, x: Id, to: number): void
  receive(id: CommunicatorId, x: Id, from: number): void
  barrier(id: CommunicatorId): void
  /** Runs when all that was sent has left this process. */
  flush(id: CommunicatorId): void
  /** What runs, and all that follows, fails with ERR_COMMUNICATION and this reason. */
  abortCommunicator(id: CommunicatorId, reason: string): void
  /** Ends it when the work enqueued on the current stream has run; the id is an error from now on. */
  closeCommunicator(id: CommunicatorId): void

  // --- operations: see native/core/backend.h and src/ops/ -----------------------------------------------------------
  fill(y: Id, value: number): void
  cast(x: Id, y: Id): void
  copyColumns(x: Id, xOffset: number, y: Id, yOffset: number, width: number): void
  gatherRows(x: Id, rows: Id, y: Id): void
  gatherRowsBackward(dy: Id, rows: Id, dx: Id): void
  add(a: Id, alpha: number, b: OptionalId, beta: number, y: Id): void
  embedding(tokens: Id, positions: Id, tokenTable: Id, positionTable: Id, h: Id): void
  embeddingBackward(dh: Id, tokens: Id, positions: Id, dtokenTable: OptionalId, dpositionTable: OptionalId): void
  layerNorm(
    x: Id,
    residual: OptionalId,
    gamma: Id,
    beta: Id,
    epsilon: number,
    sum: OptionalId,
    y: Id,
    mean: OptionalId,
    rstd: OptionalId,
  ): void
  layerNormBackward(
    dy: Id,
    h: Id,
    gamma: Id,
    mean: Id,
    rstd: Id,
    dsum: OptionalId,
    dx: OptionalId,
    dgamma: OptionalId,
    dbeta: OptionalId,
  ): void
  linear(x: Id, weight: Id, bias: OptionalId, activation: ActivationCode, y: Id, preactivation: OptionalId): void
  linearBackward(
    dy: Id,
    x: Id,
    weight: Id,
    preactivation: OptionalId,
    activation: ActivationCode,
    dx: OptionalId,
    dweight: OptionalId,
    dbias: OptionalId,
  ): void
  attention(
    qkv: Id,
    firstRow: Id,
    layout: HeadLayout,
    scale: number,
    dropout: number,
    random: RandomWords,
    y: Id,
    logSumExp: OptionalId,
    firstHead: number,
  ): void
  attentionBackward(
    dy: Id,
    qkv: Id,
    firstRow: Id,
    y: Id,
    logSumExp: Id,
    layout: HeadLayout,
    scale: number,
    dropout: number,
    random: RandomWords,
    dqkv: Id,
    firstHead: number,
  ): void
  cacheWrite(qkv: Id, slots: Id, layout: HeadLayout, keys: Id, values: Id): void
  attentionDecode(qkv: Id, keys: Id, values: Id, lengths: Id, layout: HeadLayout, scale: number, y: Id): void
  linearCrossEntropy(
    h: Id,
    weight: Id,
    targets: Id,
    weights: OptionalId,
    losses: Id,
    dh: OptionalId,
    dweight: OptionalId,
    best: OptionalId,
  ): void
  vocabularyExponentials(h: Id, weight: Id, targets: Id, exponentials: Id, partials: Id): void
  vocabularyCrossEntropy(
    h: Id,
    weight: Id,
    targets: Id,
    partials: Id,
    slice: number,
    weights: OptionalId,
    exponentials: Id,
    losses: Id,
    dh: OptionalId,
    dweight: OptionalId,
  ): void
  dropout(x: Id, p: number, random: RandomWords, y: Id, first: number): void
  randomNormal(y: Id, mean: number, std: number, random: RandomWords): void
  randomUniform(y: Id, low: number, high: number, random: RandomWords): void
  l2Norm(x: Id, out: Id): void
  adamw(
    parameter: Id,
    master: OptionalId,
    gradient: Id,
    m: Id,
    v: Id,
    lr: number,
    beta1: number,
    beta2: number,
    epsilon: number,
    weightDecay: number,
    gradientScale: number,
    step: number,
    stochastic: boolean,
    random: RandomWords,
    first: number,
  ): void
  sample(
    logits: Id,
    temperature: number,
    topK: number,
    topP: number,
    random: RandomWords,
    draws: OptionalId,
    tokens: Id,
    logProbabilities: OptionalId,
  ): void
  probe(buffer: Id, kind: ProbeCode, rounds: number, work: Id): void
}

const root = packageRoot()

/** A program for `node -e` that loads the add-on, as `native`, without the package around it. */
export const loadInChild = `
const native = require('node:module').createRequire(${JSON.stringify(join(root, 'package.json'))})('node-gyp-build')(${JSON.stringify(root)})
native.initialize(class extends Error { constructor(details) { super(details.message); Object.assign(this, details) } })
`

export const native: Native = load()

/** The built add-on of a checkout (build/Release), else the prebuild of this platform; no compiler is needed for the latter. */
function load(): Native {
  const require = createRequire(join(root, 'package.json'))
  let addon: Native
  try {
    addon = require('node-gyp-build')(root) as Native
  } catch (cause) {
    throw new AuroraError({
      code: 'ERR_NATIVE_LOAD',
      message: 'the native add-on could not be loaded',
      expected: `a prebuild or a build for ${process.platform}-${process.arch} in ${root}`,
      found: (cause as Error).message,
      hint: 'run "npm rebuild aurora-m" (needs CMake and a C++20 compiler), and "npx aurora doctor" for details',
      cause,
    })
  }
  addon.initialize(AuroraError)
  return addon
}

/** This file runs from src/ in a checkout and from dist/ in the package: both lie one folder below the root. */
function packageRoot(): string {
  return dirname(dirname(fileURLToPath(import.meta.url)))
}
