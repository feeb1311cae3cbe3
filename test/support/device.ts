/** AURORA_TEST_DEVICE=emulator (or hip:0, …) runs the tests that import this on another device than the CPU. */
import { setDefaultDevice } from '../../src/tensor/index.ts'

if (process.env.AURORA_TEST_DEVICE) {
  setDefaultDevice(process.env.AURORA_TEST_DEVICE)
  console.log(`AURORA_TEST_DEVICE=${process.env.AURORA_TEST_DEVICE}`)
}
