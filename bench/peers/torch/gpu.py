"""The kernels of bench/gpu in PyTorch on CUDA (or ROCm). Reads lines "kind arguments… calls" and answers with the seconds of one call.

linear dtype forward|dx|dweight N D F activation; attention dtype forward|backward B T H K; loss dtype N D V; layerNorm dtype
forward|backward N D; adamw dtype M; step dtype layers width heads vocabulary length batch (gpt_bigcode.py through torch.compile).
"""
import sys
import time

import gpt_bigcode
import torch
from torch.nn import functional as F

types = {"f32": torch.float32, "bf16": torch.bfloat16}


def random(*shape, dtype, grad=False):
    return torch.randn(*shape, device="cuda").to(types[dtype]).requires_grad_(grad)


def gradient(y, inputs):
    dy = torch.randn_like(y)
    return lambda: torch.autograd.grad(y, inputs, dy, retain_graph=True)


def linear(dtype, product, rows, inputs, outputs, activation):
    rows, inputs, outputs = int(rows), int(inputs), int(outputs)
    x, weight, bias = random(rows, inputs, dtype=dtype), random(outputs, inputs, dtype=dtype), random(outputs, dtype=dtype)
    dy = random(rows, outputs, dtype=dtype)
    gelu = activation != "none"
    if product == "forward":
        return lambda: F.gelu(F.linear(x, weight, bias), approximate="tanh") if gelu else F.linear(x, weight, bias)
    z = random(rows, outputs, dtype=dtype, grad=True)
    activated = F.gelu(z, approximate="tanh") if gelu else None
    dz = (lambda: torch.autograd.grad(activated, z, dy, retain_graph=True)[0]) if gelu else (lambda: dy)
    if product == "dx":
        return lambda: dz() @ weight
    main = torch.zeros(outputs, inputs, device="cuda")  # f32 main gradients, as ours

    def dweight():
        d = dz()
        main.add_(d.t() @ x)
        d.sum(0)

    return dweight


def attention(dtype, direction, batch, length, heads, width):
    batch, length, heads, width = int(batch), int(length), int(heads), int(width)
    qkv = random(batch, length, (heads + 2) * width, dtype=dtype, grad=True)

    def forward():
        query, key, value = qkv.split((heads * width, width, width), dim=2)
        query = query.view(batch, length, heads, width).transpose(1, 2)
        key, value = (z[:, None].expand(-1, heads, -1, -1) for z in (key, value))
        return F.scaled_dot_product_attention(query, key, value, is_causal=True).transpose(1, 2).reshape(batch, length, heads * width)

    return forward if direction == "forward" else gradient(forward(), qkv)


def loss(dtype, rows, width, vocabulary):
    rows, width, vocabulary = int(rows), int(width), int(vocabulary)
    h, weight = random(rows, width, dtype=dtype, grad=True), random(vocabulary, width, dtype=dtype, grad=True)
    targets = torch.randint(vocabulary, (rows,), device="cuda")
    return lambda: torch.autograd.grad(F.cross_entropy((h @ weight.t()).float(), targets), (h, weight))


def layer_norm(dtype, direction, rows, width):
    rows, width = int(rows), int(width)
    x, gamma, beta = (random(*shape, dtype=dtype, grad=True) for shape in ((rows, width), (width,), (width,)))
    if direction == "forward":
        return lambda: F.layer_norm(x, (width,), gamma, beta)
    return gradient(F.layer_norm(x, (width,), gamma, beta), (x, gamma, beta))


def adamw(_, count):
    # torch's mixed precision has f32 parameters, and autocast makes bf16 copies of them in each product.
    parameter = torch.randn(int(count), device="cuda", requires_grad=True)
    parameter.grad = torch.randn_like(parameter)
    return torch.optim.AdamW([parameter], lr=1e-4, fused=True).step


def step(dtype, *sizes):
    return gpt_bigcode.prepare(dtype, *map(int, sizes), device="cuda")


kinds = {"linear": linear, "attention": attention, "loss": loss, "layerNorm": layer_norm, "adamw": adamw, "step": step}


def main():
    if not torch.cuda.is_available():
        print(f"PyTorch {torch.__version__} without a GPU", flush=True)
        sys.stdin.read()
        return
    print(f"PyTorch {torch.__version__}, {torch.cuda.get_device_name()}", flush=True)
    last = run = None
    for line in sys.stdin:
        kind, *problem, calls = line.split()
        if (kind, problem) != last:
            run = None
            torch.cuda.empty_cache()
            run = kinds[kind](*problem)
            for _ in range(3):
                run()
            last = (kind, problem)
        torch.cuda.synchronize()
        started = time.perf_counter()
        for _ in range(int(calls)):
            run()
        torch.cuda.synchronize()
        print((time.perf_counter() - started) / int(calls), flush=True)


main()
