/** A batch through the pipeline: each rank does its stages' forward and backward passes in the order of the schedule. */
import { Tape } from '../autograd/index.ts'
import type { TrainingRows } from '../models/index.ts'
import { empty, type Tensor } from '../tensor/index.ts'
import type { Group } from './group.ts'
import type { Groups } from './groups.ts'
import type { ModelPart, PipelineStage } from './part.ts'
import { pipelineSchedule } from './schedule.ts'

/** The sender and the receiver of a link, as places in its group. */
const [sender, receiver] = [0, 1]

/** A forward pass whose backward pass is still to come. */
interface InFlight {
  tape: Tape
  input: Tensor | undefined
  output: Tensor
}

export interface PipelineOptions<Rows extends TrainingRows> {
  /** The number of a micro-batch's forward pass in the run, for dropout. */
  passOf(microBatch: number): number
  /** On the last stage, of each micro-batch in order: its losses, which are handed over. */
  onLosses(losses: Tensor, rows: Rows): Promise<void>
  /** As Tape.backward calls it. */
  onAdded?: (parameter: Tensor) => void
}

/** Steps that are enqueued beyond the one that runs: enough to keep the device busy, and few enough to keep little memory waiting. */
const ahead = 2

/**
 * Adds the gradients of all micro-batches to the main gradients: enqueues the steps of this rank's schedule in order. What comes from another rank is
 * waited for on the device's stream.
 */
export async function runPipeline<Rows extends TrainingRows>(
  part: ModelPart,
  { layout, links }: Pick<Groups, 'layout' | 'links'>,
  microBatches: readonly Rows[],
  { passOf, onLosses, onAdded }: PipelineOptions<Rows>,
): Promise<void> {
  const flying = part.stages.map(() => new Map<number, InFlight>())
  const rank = part.stages[0]!.index
  const schedule = pipelineSchedule({
    stages: layout.pipeline,
    rank,
    microBatches: microBatches.length,
    chunks: layout.chunks,
  })
  const running: Promise<void>[] = []
  try {
    for (const { kind, microBatch, chunk } of schedule) {
      const [stage, rows] = [part.stages[chunk]!, microBatches[microBatch]!]
      if (kind === 'forward') {
        const input = stage.first === 0 ? undefined : receive(links!.forwardIn, rows)
        const tape = new Tape()
        flying[chunk]!.set(microBatch, { tape, input, output: forward(stage, rows, input, tape, passOf(microBatch)) })
      } else {
        const { tape, input, output } = flying[chunk]!.get(microBatch)!
        flying[chunk]!.delete(microBatch)
        await backward(stage, rows, tape, input, output)
      }
      const step = part.device.synchronize()
      // It may fail while something else is awaited; that fails, too.
      step.catch(() => {})
      running.push(step)
      if (running.length > ahead) await running.shift()
    }
    await Promise.all(running)
  } finally {
    for (const passes of flying) for (const { tape } of passes.values()) tape.dispose()
  }

  function receive(link: Group, rows: Rows): Tensor {
    const arrived = empty(part.boundaryShape(rows.tokens.length), { dtype: part.dtype, device: part.device })
    link.receive(arrived, sender)
    return arrived
  }

  function forward(stage: PipelineStage, rows: Rows, input: Tensor | undefined, tape: Tape, pass: number): Tensor {
    if (input) tape.watch(input)
    const output = tape.run(() => part.forward(stage, rows, input, pass))
    if (!stage.last) links!.forwardOut.beside(() => links!.forwardOut.send(output, receiver))
    return output
  }

  async function backward(
    stage: PipelineStage,
    rows: Rows,
    tape: Tape,
    input: Tensor | undefined,
    output: Tensor,
  ): Promise<void> {
    try {
      if (stage.last) {
        tape.backward(output, undefined, onAdded)
      } else {
        const gradient = receive(links!.backwardIn, rows)
        tape.backward(output, gradient, onAdded)
        gradient.dispose()
        output.dispose()
      }
      if (input) links!.backwardOut.beside(() => links!.backwardOut.send(tape.gradient(input)!, receiver))
    } finally {
      tape.dispose()
    }
    if (stage.last) await onLosses(output, rows)
  }
}
