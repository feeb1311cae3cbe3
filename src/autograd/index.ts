export type { Gradients } from './gradients.ts'
export { type Backward, checkpoint, isRecording, noGrad, record, Tape, willRecord } from './tape.ts'
