/**
 * The recipe: a whole run as a document. One schema checks YAML and types TypeScript. Unknown keys are refused, so that a
 * misspelt setting is an error and not a silent default. Paths are relative to the recipe's folder.
 */
import * as z from 'zod'

const name = z.string().min(1)
const path = z.string().min(1)
const share = z.number().min(0).max(1)
const count = z.int().min(1)

/** Names as in GPTBigCodeConfig; what is not given has StarCoder's defaults, and the vocabulary is the tokenizer's. */
const modelConfig = z.strictObject({
  nLayer: count,
  nEmbd: count,
  nHead: count,
  nPositions: count,
  nInner: count.optional(),
  multiQuery: z.boolean().optional(),
  activationFunction: z.enum(['gelu', 'gelu_pytorch_tanh']).optional(),
  layerNormEpsilon: z.number().positive().optional(),
  initializerRange: z.number().positive().optional(),
  residPdrop: share.optional(),
  embdPdrop: share.optional(),
  attnPdrop: share.optional(),
})

const model = z
  .strictObject({
    /** A new model with random weights. Give this or `from`. */
    create: modelConfig.optional(),
    /** A folder in Hugging Face's layout. */
    from: path.optional(),
    dtype: z.enum(['f32', 'bf16']).default('f32'),
    device: z.string().default('cpu'),
    /** Recompute activations in the backward pass, block by block: less memory, about a third more time. */
    checkpointing: z.boolean().default(false),
    /** 'config' applies the configuration's dropout rates; 0 (usual in continual pretraining) ignores them. */
    dropout: z.union([z.literal('config'), z.literal(0)]).default(0),
  })
  .refine(value => (value.create === undefined) !== (value.from === undefined), {
    error: 'expected either create or from',
    path: [],
  })

const tokenizer = z
  .strictObject({
    /** A tokenizer.json, or a folder that holds one. Give this or `train`. */
    file: path.optional(),
    /** Trains a byte-level BPE on the documents of these corpora (default: all that have files). */
    train: z.strictObject({ vocabSize: z.int().min(300).max(65_500), on: z.array(name).min(1).optional() }).optional(),
  })
  .refine(value => (value.file === undefined) !== (value.train === undefined), {
    error: 'expected either file or train',
    path: [],
  })

/** Keeps documents that pass every rule given. */
const filter = z.strictObject({
  minCharacters: count.optional(),
  maxCharacters: count.optional(),
  /** Largest share of characters that are digits, punctuation or symbols. Prose has about 0.05, code 0.25. */
  maxSymbols: share.optional(),
})

const corpus = z
  .strictObject({
    /**
     * Files, folders or glob patterns. A .jsonl file holds a document a line, any other is one document; .gz is unpacked. Rows
     * of instruction and response become documents in the form the model is asked in. Give this, `of` or `tokens`.
     */
    files: z.union([path, z.array(path).min(1)]).optional(),
    /** Field of a JSON line that holds the text. */
    field: name.default('text'),
    /** Other corpora, whose training documents these are: what is held out there stays unseen here. */
    of: z.array(name).min(1).optional(),
    /** A prepared indexed dataset (.bin and .idx), by the path both begin with. */
    tokens: path.optional(),
    /** Language, for reports; default: the corpus's name. */
    lang: name.optional(),
    /** Share of documents held out for evaluation; never trained on. */
    heldOut: z.number().min(0).max(0.9).default(0),
    filter: filter.optional(),
    /** Probability that a piece of a document is turned into fill-in-the-middle form. */
    fim: share.default(0),
  })
  .refine(value => [value.files, value.of, value.tokens].filter(source => source !== undefined).length === 1, {
    error: 'expected one of files, of and tokens',
    path: [],
  })

const rate = z.number().min(0)
const shape = {
  peak: rate,
  final: rate.default(0),
  /** Steps of the linear rise to the peak. */
  warmup: z.int().min(0).default(0),
  /** Until the final rate, warm-up included. Default: all steps of the run, or of the stage whose schedule this is. */
  steps: count.optional(),
}
const schedules = [
  z.strictObject({ type: z.literal('constant'), lr: rate, warmup: shape.warmup }),
  z.strictObject({ type: z.literal('linear'), ...shape }),
  z.strictObject({ type: z.literal('warmupCosine'), ...shape }),
  /** Warm-up, stable, decay: the decay takes the last `decay` steps. */
  z.strictObject({
    type: z.literal('wsd'),
    ...shape,
    decay: z.int().min(0),
    shape: z.enum(['linear', 'sqrt']).default('linear'),
  }),
] as const
const schedule = z.discriminatedUnion('type', [...schedules])
/** A stage goes on with the run's schedule, or re-warms with one of its own that begins with it. */
const stageSchedule = z.discriminatedUnion('type', [z.strictObject({ type: z.literal('continue') }), ...schedules])

const optimizer = z.strictObject({
  type: z.literal('adamw').default('adamw'),
  betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).default([0.9, 0.95]),
  eps: z.number().positive().default(1e-8),
  weightDecay: z.number().min(0).default(0.1),
  /** Largest norm of the gradient; 0: no clipping. */
  clip: z.number().min(0).default(1),
  /** bf16 parameters are rounded stochastically, without f32 master weights. */
  stochasticRounding: z.boolean().default(false),
})

const batch = z.strictObject({
  /** Sequences of a global batch. */
  sequences: count,
  /** Tokens a sequence. */
  length: z.int().min(2),
  /** Sequences computed at once; gradients of a batch are accumulated over its micro-batches. */
  microBatch: count.optional(),
  /** Attention stays within a document. */
  documentBoundaries: z.boolean().default(true),
  /** Positions restart with each document; otherwise they run through the sequence, as in Megatron. */
  resetPositions: z.boolean().default(false),
})

const stage = z
  .strictObject({
    name,
    tokens: z.number().positive().optional(),
    steps: count.optional(),
    /** Weights by corpus; they need not sum to 1. */
    mixture: z
      .record(name, z.number().min(0))
      .refine(weights => Object.values(weights).some(weight => weight > 0), { error: 'expected a weight above 0' }),
    length: z.int().min(2).optional(),
    schedule: stageSchedule.default({ type: 'continue' }),
    freeze: z.array(name).default([]),
  })
  .refine(value => (value.tokens === undefined) !== (value.steps === undefined), {
    error: 'expected either tokens or steps',
    path: [],
  })

const when = z
  .array(z.enum(['before', 'stages', 'checkpoints']))
  .min(1)
  .default(['before', 'stages'])

const evaluation = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('bitsPerByte'),
    name: name.default('bits-per-byte'),
    when,
    /** Corpora with a held-out share; default: all of them. */
    on: z.array(name).min(1).optional(),
    /** At most this many tokens a corpus. */
    maxTokens: count.optional(),
  }),
  z.strictObject({
    type: z.literal('codeSuite'),
    name: name.default('code'),
    when,
    /** JSONL of tasks: task_id, prompt, entry_point, test. */
    tasks: path,
    /** Completions a task; 1 at temperature 0. */
    samples: count.default(1),
    temperature: z.number().min(0).default(0),
    topP: z.number().gt(0).max(1).default(1),
    maxTokens: count.default(64),
  }),
  z.strictObject({
    type: z.literal('redTeam'),
    name: name.default('red-team'),
    when,
    /** JSONL of prompts: id, prompt, category, lang, kind (harmful or benign). */
    prompts: path,
    /** JSON of refusal phrases by language: the default judge's rule. */
    refusals: path.optional(),
    maxTokens: count.default(48),
  }),
])

/** How the run is spread over the processes of a job. The layout may be another one when the run goes on. */
const parallel = z.strictObject({
  /** Ranks that share each layer's matrices. */
  tensor: count.default(1),
  /** Ranks in a row, each with some of the layers. */
  pipeline: count.default(1),
  /** Ranks with the same weights and other sequences; default: as many as there are processes for. */
  data: count.optional(),
  /** Model chunks of a pipeline rank: interleaved when above 1. */
  chunks: count.default(1),
  /** Splits activations by rows over the tensor-parallel ranks, too; default: where there are several. */
  sequenceParallel: z.boolean().optional(),
  /** Chunks of rows in which tensor-parallel products are exchanged, one while the next is computed; default: 1 on a CPU, 4 on GPUs. */
  tensorChunks: count.optional(),
  /** ZeRO-1, which shares the optimizer's state out over the data-parallel ranks; default: where there are several. */
  zero: z.boolean().optional(),
  /** Layers of each of the pipeline·chunks stages; default: as even as they can be. */
  layersPerStage: z.array(count).min(1).optional(),
  /** Seconds: a rank that is silent, or that others wait for, for so long has failed. */
  deadline: z.number().min(1).max(86_400).default(60),
  /** Steps between two comparisons of what ranks hold alike; 0: never. */
  compareEvery: z.int().min(0).default(100),
})

export const recipeSchema = z
  .strictObject({
    name: name.default('run'),
    seed: z.int().min(0).default(0),
    /** Folder of all that the run writes. */
    output: path,
    model,
    /** Default: the tokenizer in the folder that the model comes from. */
    tokenizer: tokenizer.optional(),
    data: z.record(name, corpus),
    batch,
    optimizer: optimizer.prefault({}),
    schedule,
    stages: z.array(stage).min(1),
    evaluations: z.array(evaluation).default([]),
    checkpoints: z
      .strictObject({
        /** Steps between two checkpoints; the end of a stage always makes one. */
        every: count.optional(),
        keep: count.default(2),
      })
      .prefault({}),
    parallel: parallel.prefault({}),
    /** Non-finite steps in a row that are skipped before the run gives up. */
    maxSkipped: z.int().min(0).default(5),
    outputs: z
      .strictObject({
        metrics: z.boolean().default(true),
        tensorboard: z.boolean().default(true),
        report: z.boolean().default(true),
      })
      .prefault({}),
  })
  .check(context => {
    const { data, stages, evaluations, tokenizer, model } = context.value
    const known = Object.keys(data)
    const refer = (corpus: string, at: (string | number)[]) => {
      if (data[corpus] !== undefined) return
      context.issues.push({ code: 'custom', input: corpus, path: at, message: `expected a corpus of data (${known.join(', ')})` })
    }
    for (const [corpus, { of = [] }] of Object.entries(data)) {
      for (const [i, source] of of.entries()) {
        const path = ['data', corpus, 'of', i]
        refer(source, path)
        if (data[source]?.of === undefined) continue
        context.issues.push({ code: 'custom', input: source, path, message: 'expected a corpus that has files' })
      }
    }
    for (const [i, { mixture }] of stages.entries()) {
      for (const corpus of Object.keys(mixture)) refer(corpus, ['stages', i, 'mixture', corpus])
    }
    for (const [i, evaluation] of evaluations.entries()) {
      if (evaluation.type !== 'bitsPerByte') continue
      for (const [j, corpus] of (evaluation.on ?? []).entries()) refer(corpus, ['evaluations', i, 'on', j])
    }
    for (const [i, corpus] of (tokenizer?.train?.on ?? []).entries()) refer(corpus, ['tokenizer', 'train', 'on', i])
    if (model.create && !tokenizer) {
      context.issues.push({
        code: 'custom',
        input: undefined,
        path: ['tokenizer'],
        message: 'expected a tokenizer for a new model',
      })
    }
  })

/** A recipe as it is written: what has a default may be left out. */
export type Recipe = z.input<typeof recipeSchema>
/** A recipe after its check: every default filled in. */
export type CheckedRecipe = z.output<typeof recipeSchema>
export type RecipeCorpus = CheckedRecipe['data'][string]
export type RecipeFilter = NonNullable<RecipeCorpus['filter']>
export type RecipeStage = CheckedRecipe['stages'][number]
export type RecipeSchedule = CheckedRecipe['schedule']
export type RecipeEvaluation = CheckedRecipe['evaluations'][number]
