/** `npm run bench:gpu`: what each kernel of the GPU backend, and a training step with them, reach on this machine. See bench/README.md. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import colours from 'picocolors'
import { bytes, table } from '../../src/cli/terminal.ts'
import { AuroraError } from '../../src/errors.ts'
import { type Device, device as deviceOf } from '../../src/tensor/index.ts'
import { describeMachine } from '../harness/machine.ts'
import { type Absent, Peer, torchPeer } from '../harness/peers.ts'
import { showRows } from '../harness/report.ts'
import { measureExchanges } from './exchange.ts'
import { measureKernels } from './kernels.ts'
import { type Bench, measureRates, type Rates } from './measure.ts'
import { type Stated, statedPeaks } from './stated.ts'
import { measureStep } from './step.ts'

const command = new Command('bench:gpu')
  .description("each kernel of the GPU backend at StarCoderBase-1B's shapes, and a whole training step")
  .option('--device <name>', 'hip:0, cuda:0, … or emulator; default: the first GPU')
  .option('--quick', 'tiny shapes, few repeats, no peers: shows that everything runs, not how fast', false)
  .option('--only <words>', 'only rows whose name contains all of these words')
  .option('--no-peers', 'without PyTorch')
  .option('--out <folder>', 'where results are kept', join('runs', 'bench'))
  .parse()
const options = command.opts<{ device?: string; quick: boolean; only?: string; peers: boolean; out: string }>()
const { quick, only = '', out } = options

const device = options.device ? deviceOf(options.device) : firstGpu()
const info = device.info()
if (!info.gpu) command.error(`${device.name} is no GPU`)
const stated = statedPeaks(info)
const rates = await measureRates(device, quick)
showDevice(rates, stated)

const peer = quick || !options.peers ? undefined : await torchOnGpu()
if (peer) console.log(peer instanceof Peer ? `${peer.name}: ${peer.about}` : `${peer.name}: absent, ${peer.why}`)
const bench: Bench = {
  device,
  rates,
  stated,
  quick,
  peer: peer instanceof Peer ? peer : undefined,
  wanted: what => only.split(' ').every(word => what.includes(word)),
  note: text => console.log(colours.yellow(`  ${text}`)),
}
try {
  const rows = [...(await measureKernels(bench)), ...(await measureExchanges(bench)), ...(await measureStep(bench))]
  console.log(showRows(rows))
  mkdirSync(out, { recursive: true })
  const date = new Date().toISOString()
  const path = join(out, `${date.slice(0, 19).replaceAll(':', '-')}-gpu.json`)
  const result = {
    question: 'gpu',
    date,
    command: ['npm run bench:gpu --', ...process.argv.slice(2)].join(' '),
    quick,
    machine: { ...describeMachine(device), device: device.name, gpu: info.gpu },
    peaks: { measured: rates, stated },
    peer: bench.peer?.about,
    rows,
  }
  writeFileSync(path, `${JSON.stringify(result, null, 1)}\n`)
  console.log(colours.dim(path))
} finally {
  await bench.peer?.stop()
}

async function torchOnGpu(): Promise<Peer | Absent> {
  const peer = await torchPeer('gpu.py', 1)
  if (!(peer instanceof Peer) || !peer.about.includes('without a GPU')) return peer
  await peer.stop()
  return { name: peer.name, why: peer.about }
}

function firstGpu(): Device {
  const problems: string[] = []
  for (const name of ['hip:0', 'cuda:0']) {
    try {
      return deviceOf(name)
    } catch (error) {
      if (!(error instanceof AuroraError)) throw error
      problems.push(error.message)
    }
  }
  return command.error(`no GPU: ${problems.join('; ')}. --device emulator --quick shows that everything runs`)
}

function showDevice(measured: Rates, stated: Stated | undefined): void {
  const { product, computeUnits, memoryBytes, clockMHz } = info.gpu!
  const clock = clockMHz > 0 ? `, ${clockMHz} MHz` : ''
  console.log(`${device.name}: ${product}, ${info.instructionSet}, ${computeUnits} compute units, ${bytes(memoryBytes)}${clock}`)
  const row = (what: string, rate: number, of: number | undefined, unit: string, scale: number) => [
    what,
    rate > 0 ? (rate / scale).toFixed(1) : '–',
    of ? (of / scale).toFixed(1) : '–',
    unit,
  ]
  console.log(
    table(
      ['', 'measured now', `stated: ${stated?.gpu ?? 'not listed'}`, ''],
      [
        row('bf16 matrix products', measured.bf16, stated?.bf16, 'TFLOP/s', 1e12),
        row('f32 multiply-adds (stated: f32 matrix products)', measured.f32, stated?.f32, 'TFLOP/s', 1e12),
        row('memory read', measured.read, stated?.bandwidth, 'GB/s', 1e9),
        row('memory copied (read + written)', measured.copy, stated?.bandwidth, 'GB/s', 1e9),
        row('memory changed in place (read + written)', measured.update, stated?.bandwidth, 'GB/s', 1e9),
      ],
    ),
  )
}
