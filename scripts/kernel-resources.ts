/** What a compiler for AMD GPUs says of kernels, in its remarks and in its assembler text, and what of it is a fault. */

export interface Kernel {
  /** The source, relative to native/hip. */
  file: string
  /** As the linker knows it. */
  symbol: string
  vgprs: number
  agprs: number
  sgprs: number
  vgprSpills: number
  sgprSpills: number
  /** Bytes of private memory a lane. */
  scratch: number
  /** Bytes of shared memory known when compiling; what a launch asks for comes on top. */
  shared: number
  /** Waves that a SIMD holds at a time, by registers. */
  waves: number
  /** Instructions of the matrix unit. */
  matrix: number
}

const fields = {
  sgprs: 'SGPRs',
  vgprs: 'VGPRs',
  agprs: 'AGPRs',
  scratch: 'ScratchSize [bytes/lane]',
  waves: 'Occupancy [waves/SIMD]',
  sgprSpills: 'SGPRs Spill',
  vgprSpills: 'VGPRs Spill',
  shared: 'LDS Size [bytes/block]',
} as const

/** The kernels of one source, from the remarks of -Rpass-analysis=kernel-resource-usage and the assembler text. */
export function parseKernels(file: string, remarks: string, assembler: string): Kernel[] {
  const found: Kernel[] = []
  // The place in the source comes before the word "remark" or after it.
  for (const block of remarks.split(/remark: (?:\S+: )?Function Name: /).slice(1)) {
    const symbol = /^\S+/.exec(block)![0]
    const number = (label: string): number => {
      const line = block.split('\n').find(text => text.includes('remark: ') && text.includes(`     ${label}: `))
      if (!line) throw new Error(`${file}: the compiler's remarks on ${symbol} lack '${label}'`)
      return Number(/: (\d+) \[/.exec(line.slice(line.indexOf(label) + label.length))?.[1])
    }
    const numbers = Object.fromEntries(Object.entries(fields).map(([field, label]) => [field, number(label)]))
    found.push({ file, symbol, matrix: matrixInstructions(symbol, assembler), ...numbers } as Kernel)
  }
  return found
}

function matrixInstructions(symbol: string, assembler: string): number {
  const start = assembler.indexOf(`\n${symbol}:`)
  if (start < 0) throw new Error(`the assembler text lacks ${symbol}`)
  const body = assembler.slice(start, assembler.indexOf('.Lfunc_end', start))
  return body.match(/^\s+v_mfma_/gm)?.length ?? 0
}

/** 'tileKernel<bf16, true, true, 128>' of 'void aurora::hip::(anonymous namespace)::tileKernel<…>(…)'. */
export function shortName(demangled: string): string {
  const name = demangled.replace(/\(anonymous namespace\)::|\b\w+::|^void /g, '')
  // The parameters begin at the first bracket outside the template's arguments.
  let depth = 0
  for (let i = 0; i < name.length; ++i) {
    if (name[i] === '<') ++depth
    if (name[i] === '>') --depth
    if (name[i] === '(' && depth === 0) return name.slice(0, i)
  }
  return name
}

const critical = /^(gemm|attention|loss)\//
const matrixKernel = /^(tile|thin|attention|queryGradients|keyGradients|decode)Kernel</

/**
 * What is wrong with a kernel, whose name is short: null when nothing is. Scalar registers spill into lanes of vector registers, which costs an
 * instruction each; only what goes to memory is a fault.
 */
export function fault(kernel: Kernel, name: string): string | null {
  if (!critical.test(kernel.file)) return null
  if (kernel.vgprSpills > 0 || kernel.scratch > 0)
    return `${name} spills ${kernel.vgprSpills} vector registers and keeps ${kernel.scratch} bytes a lane in memory`
  if (kernel.matrix === 0 && matrixKernel.test(name) && name.includes('bf16')) return `${name} does not use the matrix unit`
  return null
}
