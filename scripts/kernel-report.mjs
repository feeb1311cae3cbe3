#!/usr/bin/env node
// Compiles the GPU backend's kernels for gfx90a and prints what each needs: registers, spills, waves at a time, matrix instructions. Fails when a
// kernel of the matrix families (gemm, attention, loss) spills, or a bf16 one that should use the matrix unit does not.
// What `AURORA_KERNEL_REPORT=ON npm run build:hip` has compiled since the last change of a source is not compiled again.
// `npm run report:hip`, or `npm run report:hip gemm/` for the sources whose path contains a word.
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import Table from 'cli-table3'
import { globSync } from 'tinyglobby'
import { fault, parseKernels, shortName } from './kernel-resources.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const native = join(root, 'native')
const architecture = 'gfx90a'

function compile(source, folder) {
  const file = relative(join(native, 'hip'), source)
  const assembler = join(folder, `${file.replaceAll('/', '_')}.s`)
  // As cmake/modules.cmake does, but only the device's half.
  const options = [`--offload-arch=${architecture}`, '-x', 'hip', '-std=c++20', '-O3', '-fno-math-errno', `-I${native}`]
  const report = [
    '-Wno-unused-command-line-argument',
    '--cuda-device-only',
    '-S',
    '-Rpass-analysis=kernel-resource-usage',
    source,
    '-o',
    assembler,
  ]
  const started = performance.now()
  return new Promise((resolve, reject) => {
    execFile(
      'hipcc',
      [...options, ...report],
      { env: { ...process.env, HIP_PLATFORM: 'amd' }, maxBuffer: 2 ** 28 },
      (error, _, remarks) => {
        if (error) return reject(new Error(`${file} does not compile: ${remarks || error.message}`))
        console.error(`${file}: ${((performance.now() - started) / 1000).toFixed(1)} s`)
        resolve(parseKernels(file, remarks, readFileSync(assembler, 'utf8')))
      },
    )
  })
}

const changed = path => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0

/** The kernels of a source as the last build left them; null when it kept nothing, or has been overtaken. */
function kept(source, lastHeader) {
  const object = join(root, 'build', 'modules-hip', 'hip', `${relative(native, source)}.o`)
  const remarks = `${object}.remarks`
  if (changed(object) <= Math.max(changed(source), lastHeader) || changed(remarks) === 0) return null
  const assembler = join(dirname(object), `${basename(source, '.cpp')}-hip-amdgcn-amd-amdhsa-${architecture}.s`)
  if (changed(assembler) === 0) return null
  return parseKernels(relative(join(native, 'hip'), source), readFileSync(remarks, 'utf8'), readFileSync(assembler, 'utf8'))
}

/** Two at a time: a compiler takes hundreds of MB. */
async function compileAll(sources, folder) {
  const kernels = []
  const lastHeader = Math.max(...globSync('native/**/*.{h,inc}', { cwd: root, absolute: true }).map(changed))
  const queue = sources.values()
  const work = async () => {
    for (const source of queue) kernels.push(...(kept(source, lastHeader) ?? (await compile(source, folder))))
  }
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work))
  return kernels
}

function demangled(symbols) {
  const { stdout, error } = spawnSync('c++filt', symbols, { encoding: 'utf8', maxBuffer: 2 ** 28 })
  return error ? symbols : stdout.trimEnd().split('\n')
}

async function main(words) {
  const sources = globSync('native/hip/*/**/*.hip.cpp', { cwd: root, absolute: true, ignore: ['native/hip/portable/**'] })
    .filter(source => words.length === 0 || words.some(word => source.includes(word)))
    .sort()
  const folder = mkdtempSync(join(tmpdir(), 'aurora-kernels-'))
  try {
    const kernels = (await compileAll(sources, folder)).sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0))
    const names = kernels.length > 0 ? demangled(kernels.map(kernel => kernel.symbol)).map(shortName) : []
    const head = ['kernel', 'VGPRs', 'AGPRs', 'SGPRs', 'spills', 'scratch', 'shared', 'waves/SIMD', 'MFMA']
    const table = new Table({
      head,
      style: { head: [], border: [], compact: true },
      colAligns: ['left', ...Array(8).fill('right')],
    })
    const faults = []
    let file = ''
    kernels.forEach((kernel, i) => {
      if (kernel.file !== file) table.push([{ colSpan: head.length, content: kernel.file }])
      file = kernel.file
      const { vgprs, agprs, sgprs, vgprSpills, sgprSpills, scratch, shared, waves, matrix } = kernel
      table.push([names[i], vgprs, agprs, sgprs, `${vgprSpills}/${sgprSpills}`, scratch, shared, waves, matrix])
      const found = fault(kernel, names[i])
      if (found) faults.push(`${file}: ${found}`)
    })
    console.log(table.toString())
    console.log(
      'spills: vector/scalar; scratch: bytes a lane; shared: bytes known when compiling, a launch asks for more; waves: by registers',
    )
    for (const found of faults) console.error(`aurora-m: ${found}`)
    console.log(`${kernels.length - faults.length} kernels in order, ${faults.length} not`)
    return faults.length === 0 && kernels.length > 0
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

try {
  process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1
} catch (error) {
  console.error(`aurora-m: ${error.message}`)
  process.exitCode = 1
}
