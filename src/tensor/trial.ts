/**
 * Device modules tried in a process of their own first: a driver that crashes, or hangs, must not take the program with it.
 * AURORA_MODULE_TRUST=1 skips the trial.
 */
import { spawnSync } from 'node:child_process'
import { AuroraError } from '../errors.ts'
import { loadInChild, type ModuleContents } from '../native.ts'

const limit = 60_000

export interface Trial {
  /** What the module has, when it opened. */
  contents?: ModuleContents
  /** Why it did not open: the add-on's error. */
  error?: { expected?: string; found?: string; hint?: string }
  /** How the process ended, when it did not come to an answer. */
  crash?: string
}

const trials = new Map<string, Trial>()

/** Opens the module of that kind in a child process; the verdict is kept. */
export function tryModule(kind: string): Trial {
  let trial = trials.get(kind)
  if (!trial) {
    trial = runTrial(kind)
    trials.set(kind, trial)
  }
  return trial
}

/** Before a device of that name is opened here; throws ERR_DEVICE when its module crashes. Whatever else is wrong with it, opening it says. */
export function expectNoCrash(name: string): void {
  const kind = name.split(':')[0]!
  if (!['hip', 'cuda'].includes(kind) || process.env.AURORA_MODULE_TRUST === '1') return
  const { crash } = tryModule(kind)
  if (!crash) return
  throw new AuroraError({
    code: 'ERR_DEVICE',
    message: `device '${name}' cannot be used`,
    expected: `a driver that answers a trial in a process of its own`,
    found: crash,
    hint: 'check the driver with its own tools (rocminfo, nvidia-smi); AURORA_MODULE_TRUST=1 opens the module without a trial',
  })
}

function runTrial(kind: string): Trial {
  const program = `${loadInChild}
let answer
try { answer = { contents: native.openModule(${JSON.stringify(kind)}) } }
catch ({ expected, found, hint, message }) { answer = { error: { expected, found: found ?? message, hint } } }
require('node:fs').writeSync(1, '\\n' + JSON.stringify(answer))`
  const { status, signal, stdout, stderr, error } = spawnSync(process.execPath, ['-e', program], {
    encoding: 'utf8',
    timeout: limit,
    killSignal: 'SIGKILL',
  })
  if (error && 'code' in error && error.code === 'ETIMEDOUT') return { crash: `no answer for ${limit / 1000} s` }
  if (error) return { crash: error.message }
  // The driver may print lines of its own before.
  if (status === 0) return JSON.parse(stdout.slice(stdout.lastIndexOf('\n') + 1)) as Trial
  const words = stderr.trim().split('\n').at(-1)
  return { crash: (signal ? `a crash by ${signal}` : `exit code ${status}`) + (words ? `: ${words}` : '') }
}
