/** `aurora doctor`: what this machine and this installation have, and what to do about what is missing. */
import { spawnSync } from 'node:child_process'
import { freemem, totalmem } from 'node:os'
import type { Command } from 'commander'
import colours from 'picocolors'
import { type DeviceInfo, type ModuleFile, native } from '../../native.ts'
import { device, tryModule } from '../../tensor/index.ts'
import { version } from '../../version.ts'
import { bytes, table } from '../terminal.ts'

interface Finding {
  what: string
  found: string
  ok: boolean
  /** What to do, when something is missing. */
  advice?: string
}

export function addDoctor(aurora: Command): void {
  aurora
    .command('doctor')
    .description('print versions, devices, instruction set, threads and memory, and what to do about what is missing')
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', '\nExamples:\n  $ aurora doctor\n  $ AURORA_ISA=avx2 aurora doctor')
    .action((options: { json?: boolean }) => {
      const findings = examine()
      if (options.json) {
        console.log(JSON.stringify(findings, null, 2))
        return
      }
      const mark = (finding: Finding) => (finding.ok ? colours.green('ok') : colours.yellow('–'))
      console.log(
        table(
          ['', '', ''],
          findings.map(finding => [finding.what, mark(finding), finding.found]),
          3,
        ),
      )
      for (const finding of findings) if (finding.advice) console.log(`\n${colours.yellow(finding.what)}: ${finding.advice}`)
    })
}

function examine(): Finding[] {
  const cpu = device('cpu').info()
  const addon = native.versions()
  return [
    { what: 'aurora-m', ok: true, found: version },
    { what: 'Node.js', ok: true, found: `${process.version}, Node-API ${process.versions.napi ?? '?'}` },
    { what: 'add-on', ok: true, found: `${addon.addon}, built for Node-API ${addon.napi} by ${addon.compiler}` },
    { what: 'platform', ok: true, found: `${process.platform}-${process.arch}` },
    {
      what: 'device cpu',
      ok: true,
      found: `${cpu.instructionSet} (usable: ${cpu.instructionSets.join(', ')}; AURORA_ISA selects one)`,
    },
    { what: 'threads', ok: true, found: `${cpu.threads} (AURORA_NUM_THREADS sets it)` },
    ...native.modules().flatMap(examineModule),
    memory(),
    python(),
  ]
}

/** A module, the devices it finds, and the libraries it uses. It is opened in another process: drivers crash. */
function examineModule(file: ModuleFile): Finding[] {
  const what = `module ${file.kind}`
  const use = file.kind === 'gloo' ? ', which training in several processes on CPUs needs' : ''
  if (!file.path)
    return [{ what, ok: true, found: `not built: no file ${file.searched.join(', ')} ("${file.build}" builds it${use})` }]
  const { contents, error, crash } = tryModule(file.kind)
  if (!contents)
    return [{ what, ok: false, found: `${file.path}: ${crash ?? error?.found}`, advice: error?.hint ?? driverAdvice }]
  const devices = contents.devices.length
  const count = file.kind === 'gloo' ? '' : `: ${devices === 0 ? 'no' : devices} ${devices === 1 ? 'device' : 'devices'}`
  return [
    { what, ok: true, found: `${file.path}${count}` },
    ...contents.devices.map(info => ({ what: `device ${info.name}`, ok: true, found: describeGpu(info) })),
    ...contents.libraries.map(library => ({
      what: `library ${library.name}`,
      ok: library.path !== '',
      found: library.path
        ? `${library.version}, ${library.path}`
        : `not found (${withoutLibrary(library.name)}): ${library.error}`,
    })),
  ]
}

function withoutLibrary(name: string): string {
  return name === 'NCCL' || name === 'RCCL' ? 'training on several GPUs needs it' : 'built-in kernels serve'
}

const driverAdvice = 'the driver does not answer as it should: check it with its own tool (rocminfo, nvidia-smi)'

function describeGpu({ instructionSet, gpu }: DeviceInfo): string {
  if (!gpu) return instructionSet
  return `${gpu.product} (${instructionSet}), ${gpu.computeUnits} compute units, waves of ${gpu.wave}, ${bytes(gpu.memoryBytes)}`
}

function memory(): Finding {
  const free = freemem()
  const found = `${bytes(free)} free of ${bytes(totalmem())}`
  if (free > 2 * 2 ** 30) return { what: 'memory', ok: true, found }
  return {
    what: 'memory',
    ok: false,
    found,
    advice:
      'under 2 GiB are free: training may fail with ERR_OUT_OF_MEMORY; use smaller micro-batches or activation checkpointing',
  }
}

/** Only the code suite needs Python. */
function python(): Finding {
  const run = spawnSync('python3', ['--version'], { encoding: 'utf8' })
  if (run.status === 0) return { what: 'python3', ok: true, found: `${(run.stdout || run.stderr).trim()} (for the code suite)` }
  return {
    what: 'python3',
    ok: false,
    found: 'not found',
    advice: 'the code suite runs completions with python3; install it, or leave code evaluation out of the recipe',
  }
}
