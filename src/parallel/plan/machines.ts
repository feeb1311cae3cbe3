/** What a plan must know of a machine: arithmetic, memory, links, and which shares of them real work reaches. */
import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import * as z from 'zod'
import { fileError } from '../../checkpoint/index.ts'
import { AuroraError } from '../../errors.ts'
import { fittedShares } from './shares.ts'

const positive = z.number().positive()
const share = z.number().gt(0).max(1)

/** Bytes a second that a device sends (and receives at the same time), and seconds until the first byte. */
const link = { bandwidth: positive, latency: z.number().min(0) }

const machineSchema = z.strictObject({
  name: z.string().min(1),
  /** Where the shares come from: printed with every prediction. */
  basis: z.string().min(1).default('shares as the machine file says'),
  /** Bytes of a device's memory. */
  memory: positive,
  /** Peak FLOP/s of a device in matrix products. */
  peak: z.strictObject({ bf16: positive, f32: positive }),
  /** Bytes a second that a device reads or writes. */
  memoryBandwidth: positive,
  devicesPerNode: z.int().min(1),
  /** Inside a node: links that join this many neighbouring devices, from few to all. */
  links: z.array(z.strictObject({ devices: z.int().min(2), ...link })).default([]),
  /** Between nodes; the bandwidth is a whole node's. */
  network: z.strictObject(link),
  shares: z
    .strictObject({
      /** Of the peak, by a very large matrix product. */
      gemm: share.default(0.7),
      /** Side of the cube-shaped product that reaches half of that: m·n·k products reach s/(s + gemmHalf), s = ∛(m·n·k). */
      gemmHalf: z.number().min(0).default(512),
      /** Of the peak, by fused attention, or by the small products of unfused attention. */
      attention: share.default(0.35),
      /** Of the memory's bandwidth, by element-wise work. */
      memory: share.default(0.75),
      /** Of a link's bandwidth, by a collective. */
      link: share.default(0.75),
      /** Of the memory, usable: the rest is the runtime's and lost between blocks. */
      usable: share.default(0.92),
    })
    .prefault({}),
})

export type Machine = z.output<typeof machineSchema>
export type MachineShares = Machine['shares']

const GiB = 2 ** 30

/**
 * One MI250X is two devices (GCDs). Peak and memory: AMD's data sheet (383 TFLOP/s bf16, 95.7 TFLOP/s f32 matrix, 128 GB at 3.2 TB/s a module,
 * https://www.amd.com/en/products/accelerators/instinct/mi200/mi250x.html). Links: 4 Infinity Fabric links of 50 GB/s each way between the
 * two halves of a module, one or two between modules; 4 Slingshot endpoints of 25 GB/s each way a node
 * (https://docs.lumi-supercomputer.eu/hardware/lumig/, https://docs.lumi-supercomputer.eu/hardware/network/). A ring over the node's
 * 8 devices has two 50 GB/s links at its narrowest place when the library builds rings over all links. Shares: see shares.ts.
 */
export const mi250xLumi: Machine = checkMachine(
  {
    name: 'mi250x-lumi',
    basis: 'gemm and link shares fitted to Megatron-DeepSpeed on LUMI (2023), the others assumed',
    memory: 64 * GiB,
    peak: { bf16: 191.5e12, f32: 47.9e12 },
    memoryBandwidth: 1.6e12,
    devicesPerNode: 8,
    links: [
      { devices: 2, bandwidth: 200e9, latency: 10e-6 },
      { devices: 8, bandwidth: 100e9, latency: 15e-6 },
    ],
    network: { bandwidth: 100e9, latency: 25e-6 },
    shares: { ...fittedShares['Megatron-DeepSpeed'], attention: 0.3 },
  },
  'mi250x-lumi',
)

/** SXM5: 989 TFLOP/s bf16, 494 tf32, 80 GB at 3.35 TB/s, NVLink 450 GB/s each way (https://www.nvidia.com/en-us/data-center/h100/); 8 × 400 Gb/s a node (DGX H100). */
const h100: Machine = checkMachine(
  {
    name: 'h100',
    basis: 'all shares of peak and bandwidth are assumptions',
    memory: 80e9,
    peak: { bf16: 989e12, f32: 494e12 },
    memoryBandwidth: 3.35e12,
    devicesPerNode: 8,
    links: [{ devices: 8, bandwidth: 450e9, latency: 8e-6 }],
    network: { bandwidth: 400e9, latency: 15e-6 },
  },
  'h100',
)

/** As the H100, with 141 GB at 4.8 TB/s (https://www.nvidia.com/en-us/data-center/h200/). */
const h200: Machine = { ...h100, name: 'h200', memory: 141e9, memoryBandwidth: 4.8e12 }

const known = new Map([mi250xLumi, h100, h200].map(machine => [machine.name, machine]))

export const machineNames: readonly string[] = [...known.keys()]

/** A known machine by name, or one from a .yaml or .json file of the user's. */
export async function findMachine(nameOrFile: string): Promise<Machine> {
  const machine = known.get(nameOrFile)
  if (machine) return machine
  if (!/\.(ya?ml|json)$/.test(nameOrFile)) {
    throw new AuroraError({
      code: 'ERR_MACHINE',
      message: 'no machine of this name is known',
      expected: `${machineNames.join(', ')}, cpu, or a .yaml or .json file`,
      found: nameOrFile,
    })
  }
  const text = await readFile(nameOrFile, 'utf8').catch(error => {
    throw fileError('read', nameOrFile, error)
  })
  return parseMachine(text, nameOrFile)
}

/** A machine description in YAML or JSON. Units: bytes, FLOP/s, bytes a second, seconds. */
export function parseMachine(text: string, source: string): Machine {
  let value: unknown
  try {
    value = parse(text)
  } catch (cause) {
    throw new AuroraError({
      code: 'ERR_MACHINE',
      message: `${source}: not valid YAML`,
      found: (cause as Error).message.split('\n')[0],
      cause,
    })
  }
  return checkMachine(value, source)
}

export function checkMachine(value: unknown, source: string): Machine {
  const checked = machineSchema.safeParse(value)
  if (!checked.success) {
    const { path, message } = checked.error.issues[0]!
    throw new AuroraError({
      code: 'ERR_MACHINE',
      message: `${source}: ${path.join('.') || 'the document'}`,
      expected: 'a machine description',
      found: message,
      hint: 'see docs/plan.md for the fields and their units',
    })
  }
  return checked.data
}

/** What is measured of this machine's processor, of all its threads together. */
export interface MeasuredCpu {
  peak: Machine['peak']
  memoryBandwidth: number
  memory: number
}

/** This machine with `ranks` processes, which share its cores and memory, and talk through it (measured: 5.2 GB/s each of two, 6 µs). */
export function cpuMachine(measured: MeasuredCpu, ranks: number): Machine {
  const link = { bandwidth: 5e9, latency: 6e-6 }
  return checkMachine(
    {
      name: 'cpu',
      basis: 'peaks measured on this machine, gemm share fitted to this package on another CPU, the others assumed',
      memory: measured.memory / ranks,
      peak: { bf16: measured.peak.bf16 / ranks, f32: measured.peak.f32 / ranks },
      memoryBandwidth: measured.memoryBandwidth / ranks,
      devicesPerNode: ranks,
      links: ranks > 1 ? [{ devices: ranks, ...link }] : [],
      network: { bandwidth: ranks * link.bandwidth, latency: link.latency },
      shares: { ...fittedShares['aurora-m'], gemmHalf: 64, attention: 0.4, memory: 0.9, link: 1, usable: 0.9 },
    },
    'this machine',
  )
}

/** The narrowest link that a group of ranks (devices numbered node by node) talks over. */
export function linkOf(machine: Machine, ranks: readonly number[]): { bandwidth: number; latency: number; where: string } {
  const { links, devicesPerNode, network, shares } = machine
  const within = (devices: number) => ranks.every(rank => Math.floor(rank / devices) === Math.floor(ranks[0]! / devices))
  const inside = links.find(({ devices }) => within(devices))
  if (inside && within(devicesPerNode)) {
    return { bandwidth: inside.bandwidth * shares.link, latency: inside.latency, where: `${inside.devices} devices of a node` }
  }
  // All devices of a node talk at the same time. A ring enters and leaves a node once, however many of its members are there.
  const nodes = new Set(ranks.map(rank => Math.floor(rank / devicesPerNode))).size
  const members = ranks.length / nodes
  const bandwidth = Math.min((network.bandwidth * members) / devicesPerNode, links.at(-1)?.bandwidth ?? Number.POSITIVE_INFINITY)
  return { bandwidth: bandwidth * shares.link, latency: network.latency, where: 'the network' }
}
