/** The golden values in test/fixtures/gpt_bigcode_tiny: computed once with the public GPTBigCode implementation in float32. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { SafetensorsReader } from '../../src/checkpoint/index.ts'
import type { TrainingRows } from '../../src/models/index.ts'
import { rowsOf } from '../../src/models/index.ts'
import './device.ts'

export const goldenFolder = fileURLToPath(new URL('../fixtures/gpt_bigcode_tiny', import.meta.url))

/** All tensors of one of its files, by name. */
export async function goldenTensors(file: 'expected' | 'trajectory'): Promise<Map<string, Float32Array | Int32Array>> {
  const reader = await SafetensorsReader.open(`${goldenFolder}/${file}.safetensors`)
  const tensors = new Map<string, Float32Array | Int32Array>()
  for (const name of reader.names) {
    const bytes = await reader.readBytes(name)
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
    tensors.set(name, reader.info(name).dtype === 'F32' ? new Float32Array(buffer) : new Int32Array(buffer))
  }
  await reader.close()
  return tensors
}

export const generation = JSON.parse(readFileSync(`${goldenFolder}/generation.json`, 'utf8')) as {
  prompt: number[]
  greedy_after_trajectory: number[]
}

/** Sequences with the token after each as target, the objective being the mean loss. */
export function trainingRows(inputs: Int32Array, targets: Int32Array, sequences: number): TrainingRows {
  const length = inputs.length / sequences
  const rows = rowsOf(Array.from({ length: sequences }, (_, b) => inputs.subarray(b * length, (b + 1) * length)))
  return { ...rows, targets, weights: new Float32Array(inputs.length).fill(1 / inputs.length) }
}

/** Batch s % 4 of the trajectory, [B, T+1] tokens cut into inputs and targets. */
export function trajectoryRows(batches: Int32Array, step: number): TrainingRows {
  const [count, sequences, width] = [4, 3, 41]
  const batch = batches.subarray((step % count) * sequences * width, ((step % count) + 1) * sequences * width)
  const columns = (from: number) =>
    Int32Array.from(
      { length: sequences * (width - 1) },
      (_, i) => batch[Math.floor(i / (width - 1)) * width + (i % (width - 1)) + from]!,
    )
  return trainingRows(columns(0), columns(1), sequences)
}
