/** What the add-on's tests share. */
import { spawnSync } from 'node:child_process'
import { AuroraError } from '../../src/errors.ts'
import { type Id, native } from '../../src/native.ts'

export const cpu = native.openDevice('cpu')
export const dtype = { f32: 0, bf16: 1, i32: 2, u16: 3, u8: 4 } as const

export function f32(values: readonly number[], shape: readonly number[] = [values.length]): Id {
  const id = native.alloc(cpu, dtype.f32, shape)
  native.write(id, Float32Array.from(values), dtype.f32)
  return id
}

export async function readF32(id: Id): Promise<number[]> {
  return Array.from(new Float32Array(await native.read(id, dtype.f32)))
}

/** The AuroraError that `act` throws. */
export function errorOf(act: () => unknown): AuroraError {
  try {
    act()
  } catch (error) {
    if (error instanceof AuroraError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

/** The AuroraError that a promise rejects with. */
export async function rejectionOf(promise: Promise<unknown>): Promise<AuroraError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof AuroraError) return error
    throw error
  }
  throw new Error('the promise did not reject')
}

/** Runs TypeScript source in a process of its own, with `native` and this file's helpers in scope. */
export function runScript(source: string, env: Record<string, string> = {}) {
  const prelude = `import { native } from ${url('../../src/native.ts')}\nimport { cpu, dtype, f32, readF32 } from ${url('support.ts')}\n`
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', prelude + source],
    {
      encoding: 'utf8',
      env: { ...process.env, ...env },
      timeout: 120_000,
    },
  )
  return { status, signal, stdout, stderr }
}

function url(path: string): string {
  return JSON.stringify(new URL(path, import.meta.url).href)
}
