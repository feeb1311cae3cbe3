import { networkInterfaces } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { worldFromEnvironment } from '../../src/parallel/index.ts'
import { firstHost, tasksOfNode } from '../../src/parallel/slurm.ts'
import { refuses } from '../support/refuses.ts'

const torch = {
  RANK: '5',
  WORLD_SIZE: '8',
  LOCAL_RANK: '1',
  LOCAL_WORLD_SIZE: '4',
  MASTER_ADDR: 'node1.example',
  MASTER_PORT: '29500',
  AURORA_JOB_TOKEN: 'secret',
}
const slurm = {
  SLURM_PROCID: '9',
  SLURM_NTASKS: '16',
  SLURM_LOCALID: '1',
  SLURM_NTASKS_PER_NODE: '8',
  SLURM_JOB_ID: '4711',
  SLURM_STEP_NODELIST: 'nid[005013-005014]',
  SLURM_JOB_NODELIST: 'nid[005012-005014]',
  AURORA_JOB_TOKEN: 'secret',
}

test('nothing set is a run of one process; so is a single task of Slurm', () => {
  assert.is(worldFromEnvironment({}), undefined)
  assert.is(worldFromEnvironment({ PATH: '/bin', MASTER_ADDR: 'x', LOCAL_RANK: '0' }), undefined)
  assert.is(worldFromEnvironment({ SLURM_JOB_ID: '1', SLURM_NTASKS: '8' }), undefined, 'a shell of salloc is no task')
  assert.is(worldFromEnvironment({ ...slurm, SLURM_PROCID: '0', SLURM_NTASKS: '1', SLURM_LOCALID: '0' }), undefined)
})

test("torchrun's variables", () => {
  assert.equal(worldFromEnvironment(torch), {
    rank: 5,
    size: 8,
    localRank: 1,
    localSize: 4,
    master: 'node1.example',
    port: 29500,
    host: undefined,
    token: 'secret',
    deadlineMs: undefined,
    job: 'node1.example:29500',
  })
  const { LOCAL_RANK, LOCAL_WORLD_SIZE, ...bare } = torch
  assert.equal([worldFromEnvironment(bare)!.localRank, worldFromEnvironment(bare)!.localSize], [0, 1])
  assert.is(worldFromEnvironment({ ...torch, AURORA_DEADLINE: '2.5' })!.deadlineMs, 2500)
  assert.is(worldFromEnvironment({ ...torch, AURORA_JOB_ID: 'mine' })!.job, 'mine')
})

test("Slurm's variables, and the ones of torchrun before them", () => {
  const world = worldFromEnvironment(slurm)!
  assert.equal([world.rank, world.size, world.localRank, world.localSize], [9, 16, 1, 8])
  assert.is(world.master, 'nid005013')
  assert.is(world.port, 19_711)
  assert.is.not(world.job, worldFromEnvironment({ ...slurm, SLURM_RESTART_COUNT: '1' })!.job, 'a requeued job is another one')
  assert.is(worldFromEnvironment({ ...slurm, MASTER_PORT: '12345', MASTER_ADDR: '10.0.0.1' })!.port, 12_345)
  const mixed = worldFromEnvironment({
    ...slurm,
    SLURM_NTASKS: '1',
    SLURM_PROCID: '0',
    WORLD_SIZE: '4',
    RANK: '3',
    LOCAL_RANK: '1',
    LOCAL_WORLD_SIZE: '2',
  })!
  assert.equal([mixed.rank, mixed.size, mixed.localRank, mixed.localSize], [3, 4, 1, 2])
  const uneven = worldFromEnvironment({
    ...slurm,
    SLURM_NTASKS_PER_NODE: '',
    SLURM_STEP_TASKS_PER_NODE: '8(x1),8',
    SLURM_NODEID: '1',
  })!
  assert.is(uneven.localSize, 8)
})

test('wrong values are named', async () => {
  const cases: [Record<string, string | undefined>, RegExp][] = [
    [{ ...torch, RANK: '8' }, /^RANK is wrong; expected a rank below WORLD_SIZE, which is 8; found 8/],
    [{ ...torch, RANK: '-1' }, /^RANK is wrong; expected a whole number; found "-1"/],
    [{ ...torch, RANK: '1e3' }, /^RANK is wrong/],
    [{ ...torch, WORLD_SIZE: 'many' }, /^WORLD_SIZE is wrong/],
    [{ ...torch, WORLD_SIZE: '0' }, /^WORLD_SIZE is wrong/],
    [{ ...torch, RANK: undefined }, /^RANK is not set; expected RANK, because WORLD_SIZE is 8/],
    [{ ...torch, WORLD_SIZE: ' ' }, /^WORLD_SIZE is not set/],
    [{ ...torch, LOCAL_RANK: '4' }, /^LOCAL_RANK is wrong/],
    [{ ...torch, LOCAL_RANK: undefined }, /^LOCAL_RANK is not set/],
    [{ ...torch, LOCAL_WORLD_SIZE: undefined }, /^LOCAL_WORLD_SIZE is not set/],
    [{ ...torch, LOCAL_WORLD_SIZE: '9' }, /^LOCAL_WORLD_SIZE is wrong/],
    [{ ...torch, MASTER_ADDR: undefined }, /^MASTER_ADDR is not set/],
    [{ ...torch, MASTER_ADDR: 'a b' }, /^MASTER_ADDR is wrong/],
    [{ ...torch, MASTER_PORT: undefined }, /^MASTER_PORT is not set/],
    [{ ...torch, MASTER_PORT: '70000' }, /^MASTER_PORT is wrong/],
    [{ ...torch, MASTER_PORT: '0' }, /^MASTER_PORT is wrong/],
    [{ ...torch, AURORA_DEADLINE: '0.5' }, /^AURORA_DEADLINE is wrong/],
    [{ ...torch, AURORA_HOST: 'hsn77' }, /^AURORA_HOST is wrong.*hsn77/],
    [{ ...slurm, SLURM_PROCID: '16' }, /^SLURM_PROCID is wrong; expected a rank below SLURM_NTASKS/],
    [{ ...slurm, SLURM_NTASKS: undefined }, /^SLURM_NTASKS is not set/],
    [{ ...slurm, SLURM_STEP_NODELIST: 'nid[' }, /^SLURM_STEP_NODELIST is wrong/],
  ]
  for (const [variables, message] of cases) await refuses(() => worldFromEnvironment(variables), 'ERR_WORLD', message)
})

test('a job that is open to the network needs a token; one on loopback does not', async () => {
  await refuses(
    () => worldFromEnvironment({ ...torch, AURORA_JOB_TOKEN: undefined }),
    'ERR_WORLD',
    /^AURORA_JOB_TOKEN is not set/,
  )
  for (const MASTER_ADDR of ['localhost', '127.0.0.1', '127.1.2.3', '::1']) {
    assert.is(worldFromEnvironment({ ...torch, AURORA_JOB_TOKEN: '', MASTER_ADDR })!.token, undefined)
  }
  for (const MASTER_ADDR of ['128.0.0.1', '127.evil.example', '::2', 'localhost.example']) {
    await refuses(() => worldFromEnvironment({ ...torch, AURORA_JOB_TOKEN: '', MASTER_ADDR }), 'ERR_WORLD', /AURORA_JOB_TOKEN/)
  }
})

test('AURORA_HOST is an address or an interface', () => {
  assert.is(worldFromEnvironment({ ...torch, AURORA_HOST: '10.1.2.3' })!.host, '10.1.2.3')
  const [name, addresses] = Object.entries(networkInterfaces())[0]!
  assert.ok(addresses!.some(({ address }) => address === worldFromEnvironment({ ...torch, AURORA_HOST: name })!.host))
})

test('host lists and tasks a node', () => {
  const hosts: [string, string | undefined][] = [
    ['nid001234', 'nid001234'],
    ['nid[001-003,007]', 'nid001'],
    ['nid[007,001-003]', 'nid007'],
    ['login1,nid[1-2]', 'login1'],
    ['rack[01-04]-n.example,other', 'rack01-n.example'],
    ['gpu-a[10]', 'gpu-a10'],
    ['', undefined],
    ['nid[', undefined],
    ['nid[]', undefined],
    ['nid[x-y]', undefined],
    ['nid[1]garbage[2]', undefined],
    ['a b', undefined],
  ]
  for (const [list, first] of hosts) assert.is(firstHost(list), first, list)
  assert.equal(
    [0, 2, 3, 4].map(node => tasksOfNode('8(x3),4', node)),
    [8, 8, 4, undefined],
  )
  assert.is(tasksOfNode('many', 0), undefined)
})

test.run()
