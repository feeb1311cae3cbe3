"""GPTBigCode in PyTorch, as one writes it: the training step that bench/train.ts (and, compiled, bench/gpu) compares with.

Reads lines "dtype layers width heads vocabulary length batch calls", trains `calls` steps and answers with the seconds of one.
"""
import math
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

fused = hasattr(F, "scaled_dot_product_attention")


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.head_width = heads, width // heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn = nn.Linear(width, width + 2 * self.head_width)
        self.c_proj = nn.Linear(width, width)
        self.c_fc, self.mlp_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def attention(self, x, mask):
        batch, length, width = x.shape
        query, key, value = self.c_attn(x).split((width, self.head_width, self.head_width), dim=2)
        if fused:
            query = query.view(batch, length, self.heads, self.head_width).transpose(1, 2)
            key, value = (z[:, None].expand(-1, self.heads, -1, -1) for z in (key, value))
            y = F.scaled_dot_product_attention(query, key, value, is_causal=True)
            return self.c_proj(y.transpose(1, 2).reshape(batch, length, width))
        # One key head serves all query heads: they are rows of one product.
        query = query.reshape(batch, length * self.heads, self.head_width)
        scores = (query @ key.transpose(1, 2) / math.sqrt(self.head_width)).view(batch, length, self.heads, length)
        weights = scores.masked_fill(mask, -math.inf).softmax(dim=-1, dtype=torch.float32).to(value.dtype)
        return self.c_proj((weights.view(batch, length * self.heads, length) @ value).view(batch, length, width))

    def forward(self, x, mask):
        x = x + self.attention(self.ln_1(x), mask)
        return x + self.mlp_proj(F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh"))


class GPTBigCode(nn.Module):
    def __init__(self, layers, width, heads, vocabulary, length):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.h = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width)
        self.register_buffer("mask", torch.ones(length, length, dtype=torch.bool).triu(1)[:, None, :])
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.h:
            x = block(x, self.mask)
        return F.linear(self.ln_f(x), self.wte.weight)


def prepare(dtype, layers, width, heads, vocabulary, length, batch, device="cpu"):
    torch.manual_seed(0)
    model = GPTBigCode(layers, width, heads, vocabulary, length).to(device)
    matrices = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() != 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.95), **({} if device == "cpu" else {"fused": True}))
    tokens = torch.randint(vocabulary, (batch, length + 1), device=device)

    def losses(tokens):
        logits = model(tokens[:, :-1])
        return F.cross_entropy(logits.float().view(-1, vocabulary), tokens[:, 1:].reshape(-1))

    forward = losses if device == "cpu" else torch.compile(losses)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, dtype=torch.bfloat16, enabled=dtype == "bf16"):
            loss = forward(tokens)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step


def main():
    torch.set_num_threads(int(sys.argv[1]))
    attention = "scaled_dot_product_attention" if fused else "softmax attention"
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, {attention}", flush=True)
    last = step = None
    for line in sys.stdin:
        dtype, *sizes, calls = line.split()
        if (dtype, sizes) != last:
            step = None
            step = prepare(dtype, *map(int, sizes))
            step()
            last = (dtype, sizes)
        started = time.perf_counter()
        for _ in range(int(calls)):
            step()
        print((time.perf_counter() - started) / int(calls), flush=True)


if __name__ == "__main__":
    main()
