"""Causal multi-query attention in PyTorch, as one writes it. Reads lines "dtype forward|backward B T H K calls"."""
import math
import sys
import time

import torch
from torch.nn import functional as F

fused = hasattr(F, "scaled_dot_product_attention")


def attention(qkv, heads, width, mask):
    batch, length, _ = qkv.shape
    query, key, value = qkv.split((heads * width, width, width), dim=2)
    query = query.view(batch, length, heads, width).transpose(1, 2)
    key, value = (z[:, None].expand(-1, heads, -1, -1) for z in (key, value))
    if fused:
        y = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    else:
        scores = query @ key.transpose(2, 3) / math.sqrt(width)
        y = scores.masked_fill(mask, -math.inf).softmax(dim=-1) @ value
    return y.transpose(1, 2).reshape(batch, length, heads * width)


def prepare(dtype, direction, batch, length, heads, width):
    kind = {"f32": torch.float32, "bf16": torch.bfloat16}[dtype]
    qkv = torch.randn(batch, length, (heads + 2) * width).to(kind).requires_grad_()
    mask = torch.ones(length, length, dtype=torch.bool).triu(1)
    if direction == "forward":
        return lambda: attention(qkv, heads, width, mask)
    y = attention(qkv, heads, width, mask)
    dy = torch.randn_like(y)
    return lambda: torch.autograd.grad(y, qkv, dy, retain_graph=True)


def main():
    torch.set_num_threads(int(sys.argv[1]))
    kind = "scaled_dot_product_attention" if fused else "softmax attention, keys and values expanded"
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, {kind}", flush=True)
    last = run = None
    for line in sys.stdin:
        *problem, calls = line.split()
        if problem != last:
            run = None
            run = prepare(*problem[:2], *map(int, problem[2:]))
            run()
            last = problem
        started = time.perf_counter()
        for _ in range(int(calls)):
            run()
        print((time.perf_counter() - started) / int(calls), flush=True)


main()
