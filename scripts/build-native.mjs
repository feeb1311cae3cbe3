#!/usr/bin/env node
// Builds the native add-on into build/Release/aurora.node, with CMake's own files in build/cmake. Needs CMake, a C++20 compiler and
// Make or Ninja, and no network: the headers of Node-API come from npm packages. `npm run build:native`, the install script,
// binding.gyp (node-gyp) and prebuildify all come here.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Returns whether the build succeeded; says what is missing when it did not. */
export function buildNative() {
  const require = createRequire(import.meta.url)
  const cmakeJs = join(dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js')
  // A surrounding make (node-gyp's) hands on its own flags; this build is one of its own.
  const { MAKEFLAGS: _, MAKELEVEL: __, MFLAGS: ___, ...env } = process.env
  const options = [
    'build',
    '--out',
    join(root, 'build', 'cmake'),
    '--parallel',
    String(availableParallelism()),
    '--log-level',
    'warn',
  ]
  const { status } = spawnSync(process.execPath, [cmakeJs, ...options], { cwd: root, env, stdio: 'inherit' })
  if (status === 0) return true
  const missing = missingTools()
  console.error(
    missing.length > 0
      ? `aurora-m: the native add-on could not be built: ${missing.join('; ')}`
      : 'aurora-m: the native add-on could not be built; the compiler says why above',
  )
  return false
}

function missingTools() {
  const missing = []
  const cmake = /cmake version (\d+)\.(\d+)/.exec(run('cmake', ['--version']) ?? '')
  if (!cmake) missing.push('CMake was not found (Debian, Ubuntu: apt install cmake; macOS: brew install cmake)')
  else if (Number(cmake[1]) === 3 && Number(cmake[2]) < 22)
    missing.push(`CMake 3.22 or newer is needed, found ${cmake[1]}.${cmake[2]}`)
  const compilers = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++']
  const compiler = compilers.find(name => run(name, ['--version']))
  if (!compiler) missing.push(`no C++ compiler was found (${compilers.join(', ')}; Debian, Ubuntu: apt install g++)`)
  else if (
    run(
      compiler,
      ['-std=c++20', '-fsyntax-only', '-x', 'c++', '-'],
      '#include <span>\nint main() { return std::span<int>().size(); }',
    ) === undefined
  )
    missing.push(`${compiler} does not compile C++20 (GCC 11 or Clang 14, or newer)`)
  if (!run('make', ['--version']) && !run('ninja', ['--version']))
    missing.push('neither make nor ninja was found (Debian, Ubuntu: apt install make)')
  return missing
}

/** What the program prints; undefined when it is missing or fails. */
function run(program, args, input = '') {
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8', input })
  return status === 0 ? stdout : undefined
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) process.exitCode = buildNative() ? 0 : 1
