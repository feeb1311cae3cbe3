/**
 * Megatron-LM's checkpoints: recognised and refused. Each rank's part is `mp_rank_TT[_PPP]/model_optim_rng.pt` (tensor rank, and with
 * pipeline parallelism the pipeline rank), a pickled file of PyTorch.
 *
 * How an import would go, so that everything else stays as it is: `openMegatron(folder): Promise<BlockSource>`, whose pieces are Blocks
 * that are put together as those of sharded checkpoints are.
 *
 * 1. A reader of the file: a ZIP archive whose `data.pkl` is a pickle. An interpreter of the opcodes that tensors, dictionaries, strings
 *    and numbers need, in which a global can only be one of a list (`torch._utils._rebuild_tensor_v2`, the storage classes,
 *    `collections.OrderedDict`, `argparse.Namespace`) and nothing is ever called; storages are uncompressed entries `data/<key>`, which
 *    are read with pread as the ranges of a safetensors file are. Anything else in the pickle is an ERR_CHECKPOINT_HEADER.
 * 2. `args` gives layers, width, heads, tensor and pipeline sizes T and P, and `padded_vocab_size`; all ranks must agree, and the ranks
 *    0 … T−1 × 0 … P−1 must all be there.
 * 3. Names under `model.language_model`: `embedding.word_embeddings.weight` → transformer.wte.weight, `embedding.position_embeddings
 *    .weight` → transformer.wpe.weight, and of layer i of pipeline rank p, which is layer p · layers / P + i of the model (with
 *    interleaving, `model<c>` holds chunk c: layers of stage c · P + p), under `encoder.layers.<i>` (`transformer.` in older files):
 *      input_layernorm → ln_1, post_attention_layernorm → ln_2, final_layernorm → transformer.ln_f,
 *      self_attention.query and self_attention.key_value → the rows of attn.c_attn, self_attention.dense → attn.c_proj,
 *      mlp.dense_h_to_4h → mlp.c_fc, mlp.dense_4h_to_h → mlp.c_proj (`attention.` for `self_attention.` in older files).
 * 4. Pieces of tensor rank t as Blocks, D the width, K a head's width, V the vocabulary:
 *      word_embeddings        [padded V / T, D]  rows from t · padded V / T on, without the rows from V on
 *      query.weight, .bias    [D / T, D]         of c_attn [D + 2K, D]: rows from t · D / T on
 *      key_value              [2K, D]            of c_attn: rows from D on, key before value; the same on all ranks, taken from rank 0
 *      dense.weight           [D, D / T]         of attn.c_proj [D, D]: columns from t · D / T on
 *      dense_h_to_4h          [4D / T, D]        of mlp.c_fc [4D, D]: rows from t · 4D / T on
 *      dense_4h_to_h.weight   [D, 4D / T]        of mlp.c_proj [D, 4D]: columns from t · 4D / T on
 *      norms, biases of dense and dense_4h_to_h, position_embeddings: the same on all ranks, taken from rank 0
 *    nn.Linear's [out, in] on both sides: nothing is transposed. `coverFault` then says whether the parts are the whole.
 * 5. Optimizer state: the distributed optimizer keeps, for each data-parallel rank, an interval of flat f32 buffers that hold the
 *    parameters one behind the other; `blocksOfInterval` makes Blocks of it once their order has been confirmed. Weights come first.
 */
import { readdir } from 'node:fs/promises'
import { AuroraError } from '../errors.ts'

const rankFolder = /^mp_rank_\d{2}(_\d{3})?(_\d{3})?$/

/** @throws AuroraError ERR_NOT_SUPPORTED when the folder is a checkpoint of Megatron-LM, its `iter_…` folder or a rank's part of one */
export async function refuseMegatron(folder: string): Promise<void> {
  const files = await readdir(folder).catch((): string[] => [])
  const sign = files.find(
    file =>
      rankFolder.test(file) ||
      file === 'latest_checkpointed_iteration.txt' ||
      file === 'model_optim_rng.pt' ||
      /^(iter_\d{7}|release)$/.test(file),
  )
  if (sign === undefined || files.includes('config.json')) return
  throw new AuroraError({
    code: 'ERR_NOT_SUPPORTED',
    message: `${folder} is a checkpoint of Megatron-LM`,
    expected: "a model folder in Hugging Face's layout: config.json, safetensors, tokenizer",
    found: sign,
    hint:
      'merge its ranks into one with tools/checkpoint_util.py of github.com/bigcode-project/Megatron-LM (--target_tensor_parallel_size 1 ' +
      '--target_pipeline_parallel_size 1), then convert that with convert_megatron_gpt_bigcode_checkpoint.py of ' +
      'github.com/bigcode-project/transformers (src/transformers/models/megatron_gpt_bigcode), and save it as safetensors',
  })
}
