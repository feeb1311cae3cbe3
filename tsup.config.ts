import { rmSync } from 'node:fs'
import { defineConfig } from 'tsup'

// The builds below write to dist at the same time, so it is cleared before either starts.
rmSync('dist', { recursive: true, force: true })

export default defineConfig([
  {
    // Splitting lets the command and the tokenising threads share the library's code instead of bundling copies. A worker thread
    // has an entry of its own, because new Worker() takes a file.
    entry: { index: 'src/index.ts', cli: 'src/cli/main.ts', 'prepare-worker': 'src/data/prepare-worker.ts' },
    format: ['esm'],
    target: 'node20',
    splitting: true,
    outDir: 'dist',
  },
  {
    entry: { index: 'src/index.ts' },
    format: ['cjs'],
    // `npm run build:ts` copies them to index.d.ts: the same declarations serve both forms.
    dts: true,
    target: 'node20',
    shims: true,
    splitting: false,
    outDir: 'dist',
  },
])
