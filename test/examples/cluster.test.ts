/** The scripts for clusters are read by what reads them there, and say what they claim. */
import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parse, parseAllDocuments } from 'yaml'
import { checkRecipe } from '../../src/train/index.ts'

const path = (name: string) => fileURLToPath(new URL(`../../examples/cluster/${name}`, import.meta.url))
const read = (name: string) => readFile(path(name), 'utf8')
const sbatch = (script: string) =>
  Object.fromEntries([...script.matchAll(/^#SBATCH --([\w-]+)(?:=(.*))?$/gm)].map(([, name, value]) => [name, value ?? '']))

for (const name of ['lumi.sh', 'h100.sh']) {
  test(`${name}: bash reads it, and a stand-in of srun gets the command`, async () => {
    execFileSync('bash', ['-n', path(name)])
    const stubs = `
      module() { :; }
      scontrol() { printf '%s\\n' nid005013 nid005014; }
      openssl() { echo 0123; }
      exec() { echo "MASTER_ADDR=$MASTER_ADDR TOKEN=$AURORA_JOB_TOKEN THREADS=$AURORA_NUM_THREADS"; printf '<%s>' "$@"; }
      export SLURM_JOB_NODELIST='nid[005013-005014]' SLURM_JOB_ACCOUNT=p SLURM_CPUS_PER_TASK=7 EBROOTAWSMINOFIMINRCCL=/plugin
      source "$0" 'my recipe.yaml'`
    const out = execFileSync('bash', ['-c', stubs, path(name)], { encoding: 'utf8' })
    assert.match(
      out,
      /^MASTER_ADDR=nid005013 TOKEN=0123 THREADS=7\n<srun>.*_VISIBLE_DEVICES=\$SLURM_LOCALID; .* --resume><my recipe\.yaml>$/,
    )
  })
}

test('lumi.sh: 256 ranks, each bound to seven cores of a complex of its own', async () => {
  const script = await read('lumi.sh')
  const options = sbatch(script)
  assert.equal([options.nodes, options['ntasks-per-node'], options['gpus-per-node']], ['32', '8', '8'])
  const masks = /^masks=(.*)$/m
    .exec(script)![1]!
    .split(',')
    .map(mask => BigInt(`0x${mask}`))
  assert.is(masks.length, 8)
  const complexes = masks.map(mask => [...Array(64).keys()].filter(core => (mask >> BigInt(core)) & 1n))
  for (const cores of complexes)
    assert.equal(
      cores.map(core => core % 8),
      [1, 2, 3, 4, 5, 6, 7],
    )
  assert.equal(
    complexes.map(([first]) => first! - 1),
    [48, 56, 16, 24, 0, 8, 32, 40],
  )
})

test('recipe.yaml: a recipe, for as many ranks as lumi.sh starts', async () => {
  const recipe = parse(await read('recipe.yaml'))
  const { parallel } = recipe
  checkRecipe(recipe)
  const options = sbatch(await read('lumi.sh'))
  assert.is(parallel.tensor * parallel.pipeline * parallel.data, Number(options.nodes) * Number(options['ntasks-per-node']))
  assert.is(recipe.batch.sequences % (parallel.data * recipe.batch.microBatch), 0)
})

test('kubernetes.yaml: the parts fit each other', async () => {
  const documents = parseAllDocuments(await read('kubernetes.yaml'))
  assert.equal(
    documents.flatMap(({ errors }) => errors),
    [],
  )
  const [service, job] = documents.map(document => document.toJS())
  assert.equal([service.kind, service.spec.clusterIP, job.kind, job.spec.completionMode], ['Service', 'None', 'Job', 'Indexed'])
  assert.is(service.spec.selector['job-name'], job.metadata.name)
  const { subdomain, containers } = job.spec.template.spec
  assert.is(subdomain, service.metadata.name)
  assert.is(job.spec.completions, job.spec.parallelism)
  const [{ command, env, resources }] = containers
  const option = (name: string) => command.find((word: string) => word.startsWith(`--${name}=`))?.split('=')[1]
  assert.is(Number(option('nodes')), job.spec.completions)
  assert.is(Number(option('nproc')), resources.limits['nvidia.com/gpu'])
  assert.is(option('master'), `${job.metadata.name}-0.${subdomain}`)
  assert.ok(env.find((each: { name: string }) => each.name === 'AURORA_JOB_TOKEN').valueFrom.secretKeyRef)
})

test('README.md names what is there', async () => {
  const text = await read('README.md')
  for (const heading of ['lumi.sh', 'h100.sh', 'kubernetes.yaml', 'recipe.yaml'])
    assert.ok(text.includes(`\n## ${heading}\n`), heading)
  const script = await read('lumi.sh')
  for (const [, option] of script.matchAll(/^#SBATCH --([\w-]+)/gm)) {
    if (!['job-name', 'time', 'output'].includes(option!)) assert.ok(text.includes(`--${option}`), option)
  }
  for (const [, name] of script.matchAll(/^export (\w+)=/gm)) assert.ok(text.includes(name!), name)
})

test.run()
