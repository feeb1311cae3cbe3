// Packs into carry/ (ignored by git) what `npm run bench:gpu` and the tests of operations need on a GPU machine that has neither Node nor a network:
// this Node, the bundled JavaScript, and the headers of Node-API. Copy the checkout with carry/ there, and run bench/gpu/carried.sh.
//   node bench/gpu/carry.mjs
import { cpSync, createReadStream, createWriteStream, mkdirSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { constants, createGzip } from 'node:zlib'
import { build } from 'esbuild'
import { globSync } from 'tinyglobby'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const folder = join(root, 'carry')
const require = createRequire(join(root, 'package.json'))
const packageFolder = name => dirname(require.resolve(`${name}/package.json`))

/** The native library of tokenizers, which these programs import but do not call. */
const withoutTokenizers = {
  name: 'without tokenizers',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^tokenizers$/ }, ({ path }) => ({ path, namespace: 'left-out' }))
    onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({ contents: 'module.exports = {}' }))
  },
}

rmSync(folder, { recursive: true, force: true })
mkdirSync(folder)
await pipeline(
  createReadStream(process.execPath),
  createGzip({ level: constants.Z_BEST_COMPRESSION }),
  createWriteStream(join(folder, 'node.gz')),
)
// A bundle finds the native add-on one folder above its own, as the package's dist/ does.
const tests = globSync(['test/ops/*.test.ts', 'test/train/device-step.test.ts'], { cwd: root })
await build({
  absWorkingDir: root,
  entryPoints: [
    { in: 'bench/gpu/run.ts', out: 'bench-gpu' },
    ...tests.map(file => ({ in: file, out: file.replace(/^.*\/(.*)\.ts$/, '$1') })),
  ],
  outdir: folder,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  plugins: [withoutTokenizers],
  // Files beside bench/harness (the peers) are found from there.
  define: { 'import.meta.dirname': 'harnessFolder' },
  banner: {
    js: [
      "import { createRequire as requireFrom } from 'node:module'",
      'const require = requireFrom(import.meta.url)',
      "const harnessFolder = new URL('../bench/harness', import.meta.url).pathname",
    ].join('\n'),
  },
  logLevel: 'warning',
})
cpSync(join(packageFolder('node-api-headers'), 'include'), join(folder, 'include'), { recursive: true })
for (const header of globSync('*.h', { cwd: packageFolder('node-addon-api') }))
  cpSync(join(packageFolder('node-addon-api'), header), join(folder, 'include', header))
cpSync(packageFolder('node-gyp-build'), join(folder, 'node-gyp-build'), { recursive: true })

const sizes = globSync('**', { cwd: folder, absolute: true }).map(file => statSync(file).size)
console.log(
  `carry: ${(sizes.reduce((sum, size) => sum + size, 0) / 2 ** 20).toFixed(0)} MiB, ${tests.length} test files and the benchmark`,
)
