// Runs every test/**/*.test.ts, each in a process of its own, two at a time; `node scripts/test.mjs tensor cli/run` runs those whose path
// contains one of the words. Prints what fails, then one line with the sums.
import { spawn } from 'node:child_process'
import { globSync } from 'tinyglobby'

const atOnce = 2
const filters = process.argv.slice(2)
const files = globSync('test/**/*.test.ts', { ignore: ['test/fixtures/**'] })
  .filter(file => filters.length === 0 || filters.some(filter => file.includes(filter)))
  .sort()

let passed = 0
let failed = 0

/** Runs one file; uvu's own summary says how many of its tests passed. */
function run(file) {
  const started = performance.now()
  return new Promise(resolve => {
    const child = spawn(process.execPath, ['--import', 'tsx', file], { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', text => (output += text))
    child.stderr.setEncoding('utf8').on('data', text => (output += text))
    child.on('close', (code, signal) => {
      // Colours are off in a pipe. A file that fails before its summary counts as one failed test.
      const total = Number(/Total:\s+(\d+)/.exec(output)?.[1] ?? 0)
      const good = Number(/Passed:\s+(\d+)/.exec(output)?.[1] ?? 0)
      const bad = code === 0 && total > 0 ? 0 : Math.max(total - good, 1)
      passed += good
      failed += bad
      const seconds = ((performance.now() - started) / 1000).toFixed(1)
      console.log(`${bad ? 'FAILED' : 'passed'} ${file} (${good} tests, ${seconds} s)`)
      if (bad)
        console.log(
          `${output.trimEnd()}\n${signal ? `ended by ${signal}` : `exit code ${code}${total ? '' : ', no test ran'}`}\n`,
        )
      resolve()
    })
  })
}

const queue = files.values()
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    for (const file of queue) await run(file)
  }),
)
if (files.length === 0) console.log(`no test file matches ${filters.join(', ')}`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 || files.length === 0 ? 1 : 0
