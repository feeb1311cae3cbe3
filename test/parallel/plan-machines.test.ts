/** Machine descriptions: known ones, files, and the links of groups. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { checkMachine, cpuMachine, findMachine, linkOf, machineNames, parseMachine } from '../../src/parallel/index.ts'
import { temporaryFolder } from '../support/folder.ts'
import { refuses } from '../support/refuses.ts'

const own = `
name: two cards
memory: 24.0e+9
peak: { bf16: 1.0e+14, f32: 5.0e+13 }
memoryBandwidth: 1.0e+12
devicesPerNode: 2
links: [{ devices: 2, bandwidth: 3.0e+10, latency: 1.0e-5 }]
network: { bandwidth: 1.0e+9, latency: 1.0e-4 }
`

test('machines by name and from a file', async () => {
  for (const name of machineNames) assert.is((await findMachine(name)).name, name)
  const path = join(temporaryFolder(), 'mine.yaml')
  await writeFile(path, own)
  const machine = await findMachine(path)
  assert.is(machine.memory, 24e9)
  assert.is(machine.shares.usable, 0.92)
})

test('what is no machine is refused, with the field that is wrong', async () => {
  await refuses(() => findMachine('abacus'), 'ERR_MACHINE', /mi250x-lumi.*found abacus/)
  await refuses(() => findMachine('/nowhere/x.yaml'), 'ERR_FILE_NOT_FOUND')
  await refuses(() => parseMachine('name: [', 'x.yaml'), 'ERR_MACHINE', /not valid YAML/)
  await refuses(() => parseMachine(own.replace('24.0e+9', '-1'), 'x.yaml'), 'ERR_MACHINE', /x\.yaml: memory/)
  await refuses(() => parseMachine(`${own}speed: 3\n`, 'x.yaml'), 'ERR_MACHINE', /speed/)
  await refuses(() => parseMachine('3', 'x.yaml'), 'ERR_MACHINE', /the document/)
  await refuses(() => checkMachine({ name: 'x' }, 'x'), 'ERR_MACHINE', /x: memory/)
})

test('a group talks over the narrowest link between its members', async () => {
  const machine = await findMachine('mi250x-lumi')
  const { link } = machine.shares
  const speed = (ranks: number[]) => linkOf(machine, ranks).bandwidth / link
  assert.is(speed([0, 1]), 200e9)
  // Neighbours in number, but of two modules.
  assert.is(speed([1, 2]), 100e9)
  assert.is(speed([0, 1, 2, 3]), 100e9)
  // One member a node: it has an eighth of the node's network. Two: they share a ring, which has two eighths.
  assert.is(speed([0, 8, 16, 24]), 12.5e9)
  assert.is(speed([0, 4, 8, 12]), 25e9)
  assert.is(speed([...Array(16).keys()]), 100e9)
})

test('processes of one machine share it', () => {
  const machine = cpuMachine({ peak: { f32: 8e11, bf16: 1e12 }, memoryBandwidth: 4e10, memory: 64e9 }, 4)
  assert.is(machine.peak.f32, 2e11)
  assert.is(machine.memory, 16e9)
  assert.is(linkOf(machine, [0, 3]).where, '4 devices of a node')
})

test.run()
