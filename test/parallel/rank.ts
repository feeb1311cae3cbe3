/** A rank in a process of its own, for the tests: it does what messages say and tells how that went. */
import { AuroraError } from '../../src/errors.ts'
import { World, type WorldEnvironment } from '../../src/parallel/index.ts'

const { environment, options } = JSON.parse(process.argv[2]!) as {
  environment: WorldEnvironment
  options: Parameters<typeof World.join>[1]
}
const tell = (event: string, value?: unknown) => process.send!({ event, value })
const words = (error: unknown) => ({ code: (error as AuroraError).code, message: (error as Error).message })

try {
  const world = await World.join(environment, options)
  world.failed.addEventListener('abort', () => {
    tell('failed', words(world.failed.reason))
    process.disconnect()
  })
  process.on('message', async ({ verb, text }: { verb: string; text: string }) => {
    try {
      if (verb === 'at') world.at(text)
      else if (verb === 'fail') world.fail(new AuroraError({ code: 'ERR_COMMUNICATION', message: text }))
      else if (verb === 'close') await world.close()
      else await world.barrier(text)
      tell(verb, text)
      if (verb === 'close') process.disconnect()
    } catch (error) {
      if (process.connected) tell('rejected', words(error))
    }
  })
  tell('joined')
} catch (error) {
  tell('refused', words(error))
  process.disconnect()
}
