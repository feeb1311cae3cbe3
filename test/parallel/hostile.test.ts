/** What reaches the coordinator's port from outside the job neither harms the job nor costs it much. */
import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { World, type WorldEnvironment } from '../../src/parallel/index.ts'
import { encodeFrame, FrameError, FrameReader } from '../../src/parallel/rendezvous/frames.ts'
import { refuses } from '../support/refuses.ts'
import { job, options, pause } from './support.ts'

/** A job whose rank 0 waits for the last rank, while others knock. */
async function half(): Promise<{ port: number; last: WorldEnvironment; done: () => Promise<void> }> {
  const environments = await job(2)
  const zero = World.join(environments[0]!, options)
  zero.catch(() => {})
  await pause(100)
  return {
    port: environments[0]!.port,
    last: environments[1]!,
    done: async () => {
      const all = await Promise.all([zero, World.join(environments[1]!, options)])
      await Promise.all(all.map(world => world.barrier('unharmed')))
      await Promise.all(all.map(world => world.close()))
    },
  }
}

async function knock(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' }).on('error', () => {})
  await once(socket, 'connect')
  return socket
}
const closed = async (socket: Socket) => {
  if (!socket.closed) await new Promise(resolve => socket.once('close', resolve))
}
/** The next message from the other side. */
function message(socket: Socket): Promise<Record<string, string>> {
  const reader = new FrameReader({ header: 1 << 20, payload: 0 })
  return new Promise((resolve, reject) => {
    socket.on('close', () => reject(new Error('closed')))
    socket.on('data', chunk => reader.push(chunk, ({ header }) => resolve(header as Record<string, string>)))
  })
}
const write = (socket: Socket, ...parts: Uint8Array[]) => {
  for (const part of parts) socket.write(part)
}

const prefix = (header: number, payload: number) => {
  const bytes = Buffer.from('AUR1________')
  bytes.writeUInt32BE(header, 4)
  bytes.writeUInt32BE(payload, 8)
  return bytes
}

test('garbage, lengths out of bounds, headers that are none: the connection ends, the job goes on', async () => {
  const { port, done } = await half()
  const hostile = [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    randomBytes(100_000),
    Buffer.alloc(1 << 20),
    prefix(0xffffffff, 0),
    prefix(4097, 0),
    prefix(10, 1),
    prefix(10, 0xffffffff),
    Buffer.concat([prefix(4, 0), Buffer.from('"a"}')]),
    Buffer.concat([prefix(4, 0), Buffer.from('null')]),
    Buffer.concat([prefix(2, 0), Buffer.from('[]')]),
    Buffer.concat(encodeFrame({})),
    Buffer.concat(encodeFrame({ kind: 'hello', nonce: 7, hello: {}, proof: null })),
    Buffer.concat(encodeFrame({ kind: 'give', call: 0, key: 'k', ranks: [0], at: '' })),
    Buffer.concat(encodeFrame({ kind: 'fail', at: '', judged: true, error: { code: 'ERR_X', message: 'x' } })),
    Buffer.concat(encodeFrame(JSON.parse('{"__proto__":{"kind":"hello"},"constructor":1}'))),
  ]
  await Promise.all(
    hostile.map(async bytes => {
      const socket = await knock(port)
      socket.resume()
      write(socket, bytes)
      await closed(socket)
    }),
  )
  await done()
})

test('slow and silent connections run out of time, and many of them keep nobody out', async () => {
  const { port, done } = await half()
  const slow = await knock(port)
  const bytes = Buffer.concat(encodeFrame({ kind: 'hello', padding: 'x'.repeat(1000) }))
  let sent = 0
  const drip = setInterval(() => slow.write(bytes.subarray(sent, ++sent)), 100)
  const silent = await Promise.all(Array.from({ length: 200 }, () => knock(port)))
  for (const socket of [slow, ...silent]) socket.resume()
  await done()
  // They are gone long before the slow one has said its piece.
  await Promise.all([slow, ...silent].map(closed))
  clearInterval(drip)
  assert.ok(sent < bytes.length)
})

test('a silent connection is closed while the job still waits', async () => {
  const { port, done } = await half()
  const socket = await knock(port)
  socket.resume()
  await closed(socket)
  await done()
})

test('a wrong token, an older job: refused with clear words, before the start and after', async () => {
  const { last, done } = await half()
  const wrong = { ...last, token: 'guessed' }
  const older = { ...last, job: 'job 0' }
  const knockAll = async () => {
    await refuses(
      () => World.join(wrong, options),
      'ERR_WORLD',
      /rank 1 does not belong to the job at 127\.0\.0\.1:\d+.*another token/,
    )
    await refuses(() => World.join({ ...last, token: undefined }, options), 'ERR_WORLD', /does not belong to the job/)
    await refuses(
      () => World.join(older, options),
      'ERR_WORLD',
      /its job is not rank 0's; expected job 1 \(rank 0\); found job 0 \(rank 1\)/,
    )
  }
  await knockAll()
  await done()

  const environments = await job(2)
  const all = await Promise.all(environments.map(each => World.join(each, options)))
  await refuses(() => World.join({ ...environments[1]!, job: 'job 0' }, options), 'ERR_WORLD', /found job 0/)
  await refuses(() => World.join(environments[1]!, options), 'ERR_WORLD', /rank 1 of 2 was given twice/)
  await refuses(() => World.join({ ...environments[1]!, size: 3 }, options), 'ERR_WORLD', /its world size/)
  await Promise.all(all.map(world => world.barrier('unharmed')))
  await Promise.all(all.map(world => world.close()))
})

test('without a token, another job of the same machine is a stranger', async () => {
  const [zero, one] = await job(2, { token: undefined })
  const joins = [World.join(zero!, options)]
  await refuses(() => World.join({ ...one!, job: 'job 0' }, options), 'ERR_WORLD', /does not belong to the job/)
  joins.push(World.join(one!, options))
  await Promise.all((await Promise.all(joins)).map(world => world.close()))
})

test('a handshake that was listened to opens nothing when it is played again, and shows no token', async () => {
  const environments = await job(2, { token: 'the secret token' })
  const { port } = environments[0]!
  // A listener on the wire between rank 1 and rank 0.
  const heard = { up: [] as Buffer[], down: [] as Buffer[] }
  const wire = createServer(near => {
    const far = connect({ port, host: '127.0.0.1' })
    near
      .on('error', () => {})
      .on('data', bytes => heard.up.push(bytes))
      .pipe(far)
    far
      .on('error', () => {})
      .on('data', bytes => heard.down.push(bytes))
      .pipe(near)
  }).listen(0, '127.0.0.1')
  await once(wire, 'listening')
  const tapped = { ...environments[1]!, port: (wire.address() as { port: number }).port }
  const all = await Promise.all([World.join(environments[0]!, options), World.join(tapped, options)])
  const upward = Buffer.concat(heard.up)
  assert.ok(upward.includes('"kind":"hello"'))
  for (const bytes of [upward, Buffer.concat(heard.down)]) assert.not.ok(bytes.includes('the secret token'))

  const socket = await knock(port)
  const answers: string[] = []
  socket.on('data', bytes => answers.push(bytes.toString()))
  write(socket, upward)
  await closed(socket)
  assert.match(answers.join(''), /"kind":"stranger"/)
  assert.not.match(answers.join(''), /welcome|refused|proof/)
  await Promise.all(all.map(world => world.barrier('unharmed')))
  await Promise.all(all.map(world => world.close()))
  wire.close()
})

test('a proof is bound to its direction: what the coordinator says cannot be sent back to it', async () => {
  const { port, done } = await half()
  const socket = await knock(port)
  const { nonce } = await message(socket)
  const hello = JSON.stringify({ rank: 1 })
  const own = randomBytes(32).toString('hex')
  const proof = createHmac('sha256', 'the token')
    .update(JSON.stringify(['aurora rendezvous', 'coordinator', nonce, own, hello]))
    .digest('hex')
  const answer = message(socket)
  write(socket, ...encodeFrame({ kind: 'hello', nonce: own, hello, proof }))
  assert.equal(await answer, { kind: 'stranger' })
  await done()
})

test('a rank 0 that does not know the token is not believed', async () => {
  const [, one] = await job(2)
  for (const answer of [
    { kind: 'stranger' },
    { kind: 'answer', words: '{"welcome":{"rank":0,"size":2,"hostname":"h","pid":1}}', proof: '0'.repeat(64) },
    { kind: 'answer', words: '{"refused":{"code":"ERR_X","message":"run rm -rf"}}', proof: '0'.repeat(64) },
  ]) {
    const server = createServer(socket => {
      socket.on('error', () => {}).once('data', () => write(socket, ...encodeFrame(answer)))
      write(socket, ...encodeFrame({ kind: 'challenge', nonce: 'a'.repeat(64) }))
    }).listen(one!.port, '127.0.0.1')
    await once(server, 'listening')
    await refuses(() => World.join(one!, options), 'ERR_WORLD', /rank 1 does not belong to the job/)
    server.close()
    await once(server, 'close')
  }
})

test('a member that sends wrong messages ends the job with words that name it', async () => {
  const environments = await job(2)
  let inject: (bytes: Uint8Array) => void = () => {}
  const wire = createServer(near => {
    const far = connect({ port: environments[0]!.port, host: '127.0.0.1' })
    near.on('error', () => {}).pipe(far)
    far.on('error', () => {}).pipe(near)
    inject = bytes => far.write(bytes)
  }).listen(0, '127.0.0.1')
  await once(wire, 'listening')
  const tapped = { ...environments[1]!, port: (wire.address() as { port: number }).port }
  const [zero, one] = await Promise.all([World.join(environments[0]!, options), World.join(tapped, options)])
  inject(Buffer.concat(encodeFrame({ kind: 'give', call: 0, key: 'x', ranks: [1, 0], at: '' })))
  await Promise.all([zero!, one!].map(({ failed }) => failed.aborted || once(failed, 'abort')))
  for (const { failed } of [zero!, one!]) {
    assert.match(failed.reason.message, /rank 1 of 2 .* sent what is no message of a job/)
    assert.is(failed.reason.code, 'ERR_RANK_FAILED')
  }
  wire.close()
})

test('frames: any cut of the stream gives the same messages, and the limits hold', () => {
  const frames = Array.from({ length: 5 }, (_, i) => ({
    header: { i, text: 'ä'.repeat(i) },
    payload: new Uint8Array(i * 7).fill(i),
  }))
  const bytes = Buffer.concat(frames.flatMap(({ header, payload }) => encodeFrame(header, payload)))
  for (let round = 0; round < 50; round++) {
    const reader = new FrameReader({ header: 100, payload: 28 })
    const read: unknown[] = []
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + Math.floor(Math.random() * 20)
      reader.push(bytes.subarray(at, at + size), ({ header, payload }) => read.push({ header, payload: new Uint8Array(payload) }))
      at += size
    }
    assert.equal(read, frames)
  }
  const small = () => new FrameReader({ header: 100, payload: 27 }).push(bytes, () => {})
  assert.throws(small, (error: unknown) => error instanceof FrameError && /over the limit of 100 and 27/.test(error.message))
})

test.run()
