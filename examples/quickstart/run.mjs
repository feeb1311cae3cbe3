/**
 * The quickstart: `aurora run` on the recipe beside this file, from scratch each time. Further arguments are passed on; with `--resume` an
 * interrupted run is gone on with instead, and `--short` takes a few steps of each stage, to see that everything works.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const command = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const recipe = fileURLToPath(new URL('recipe.yaml', import.meta.url))
const passedOn = process.argv.slice(2).flatMap(argument => (argument === '--short' ? ['--max-steps', '8'] : [argument]))
const fresh = passedOn.includes('--resume') ? [] : ['--overwrite']

// The code suite runs the model's own completions: in the quickstart they are limited to small, isolated processes.
const child = spawn(process.execPath, [command, 'run', recipe, '--allow-code-execution', ...fresh, ...passedOn], {
  stdio: 'inherit',
})
// Ctrl-C reaches the child as well, which ends after a checkpoint; this process waits for it.
process.on('SIGINT', () => {})
child.on('exit', code => {
  process.exitCode = code ?? 1
})
