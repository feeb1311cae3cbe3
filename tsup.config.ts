import { rmSync } from 'node:fs'
import { defineConfig } from 'tsup'

// Both builds below write to dist at the same time, so it is cleared before either starts.
rmSync('dist', { recursive: true, force: true })

export default defineConfig([
  {
    entry: { index: 'src/index.ts' },
    format: ['esm', 'cjs'],
    dts: true,
    target: 'node20',
    shims: true,
    splitting: false,
    outDir: 'dist',
  },
  {
    entry: { cli: 'src/cli/main.ts' },
    format: ['esm'],
    target: 'node20',
    splitting: false,
    outDir: 'dist',
    banner: { js: '#!/usr/bin/env node' },
    // The command is one more user of the library: it imports it rather than bundling a second copy.
    external: ['aurora-m'],
  },
  {
    // A worker thread's own entry: new Worker() takes a file, whichever form of the library starts it.
    entry: { 'prepare-worker': 'src/data/prepare-worker.ts' },
    format: ['esm'],
    target: 'node20',
    splitting: false,
    outDir: 'dist',
  },
])
