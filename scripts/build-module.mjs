#!/usr/bin/env node
// Builds modules into build/Release, beside the add-on: `node scripts/build-module.mjs hip` (or cuda, emulator, gloo; several at a time).
// cmake/modules.cmake has the sources. AURORA_HIP_ARCHITECTURES="gfx90a;gfx942" and AURORA_CUDA_ARCHITECTURES="80;90" choose the GPUs.
// AURORA_KERNEL_REPORT=ON keeps what hipcc says of kernels, so that `npm run report:hip` need not compile them again.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const compilers = {
  hip: {
    program: 'hipcc',
    folder: '/opt/rocm/bin',
    get: 'AMD ROCm 5.2 or newer has it (Debian, Ubuntu: apt install hipcc libamdhip64-dev rocm-device-libs)',
  },
  cuda: { program: 'nvcc', folder: '/usr/local/cuda/bin', get: "NVIDIA's CUDA toolkit 12 or newer has it" },
  emulator: { program: 'c++', folder: '/usr/bin', get: 'a C++20 compiler is needed (Debian, Ubuntu: apt install g++)' },
  // CMake says when Gloo itself is missing.
  gloo: { program: 'c++', folder: '/usr/bin', get: 'a C++20 compiler is needed (Debian, Ubuntu: apt install g++)' },
}

function build(kinds) {
  for (const kind of kinds) {
    const compiler = compilers[kind]
    if (!compiler) return fail(`${kind ?? 'nothing'} is no module: expected ${Object.keys(compilers).join(', ')}`)
    if (!finds('cmake')) return fail('CMake was not found (Debian, Ubuntu: apt install cmake)')
    if (!finds(compiler.program) && !existsSync(join(compiler.folder, compiler.program)))
      return fail(`${compiler.program} was found neither in PATH nor in ${compiler.folder}: ${compiler.get}`)
  }
  const folder = join(root, 'build', `modules-${kinds.join('-')}`)
  const names = ['AURORA_HIP_ARCHITECTURES', 'AURORA_CUDA_ARCHITECTURES', 'AURORA_KERNEL_REPORT']
  const options = names.flatMap(name => (process.env[name] ? [`-D${name}=${process.env[name]}`] : []))
  return (
    cmake('-S', root, '-B', folder, `-DAURORA_MODULES=${kinds.join(';')}`, ...options) &&
    cmake('--build', folder, '--target', 'aurora_modules', '--parallel', String(availableParallelism()))
  )
}

function cmake(...args) {
  return spawnSync('cmake', args, { cwd: root, stdio: 'inherit' }).status === 0
}

function finds(program) {
  return !spawnSync(program, ['--version'], { stdio: 'ignore' }).error
}

function fail(words) {
  console.error(`aurora-m: ${words}`)
  return false
}

const kinds = process.argv.slice(2)
process.exitCode = build(kinds.length > 0 ? kinds : [undefined]) ? 0 : 1
