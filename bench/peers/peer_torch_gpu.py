#!/usr/bin/env python3
"""PyTorch and escnn on the GPU, on the shapes of bench_cuda: the dense convolution of the expanded filter, and R2Conv.

scripts/gpu_check.sh calls this. PyTorch's convolution runs in both memory layouts, eagerly, replayed as a CUDA graph, and
compiled by torch.compile; cudnn.benchmark lets it choose among cuDNN's engines. escnn runs with its filter expanded once
(eval) and in training.
"""
import argparse
import sys

from torch_gpu import add_arguments, start

SHAPES = [(12, 24, 64), (24, 48, 32), (48, 48, 32), (48, 96, 16), (96, 96, 16)]  # fields in and out, side of the image
DENSE = [(32, 32, 64), (64, 64, 64), (128, 128, 32), (256, 256, 16)]  # channels in and out, side, 3 x 3
NUMBERS = ["float32", "tf32", "bf16"]
FEW = 8  # channels of the first image that are checked against float64
PERCENT_OF_CACHE = 300  # that operands fill together when none is to be found in the cache


def batch_of(machine):
    return 2 if machine.small else 64


def times(machine, run, copies):
    """Medians in microseconds: the same operands again and again, and operands that take turns."""
    for i in range(copies):
        run(i)
    launches = int(min(100, max(10, 1 / max(machine.milliseconds(1, lambda i: run(0)), 1e-3))))
    launches = 1 if machine.small else launches
    return machine.median_us(launches, lambda i: run(0)), machine.median_us(launches, lambda i: run(i % copies))


def relative_error(got, expected):
    return ((got.double() - expected).abs().max() / expected.abs().max()).item()


def copies_for(machine, size):
    if machine.small:
        return 1
    cache = machine.torch.cuda.get_device_properties(0).L2_cache_size
    return int(min(16, -(-PERCENT_OF_CACHE * cache // (100 * size)))) + 1


def random(machine, shape, number, layout):
    torch = machine.torch
    kind = torch.bfloat16 if number == "bf16" else torch.float32
    x = torch.empty(shape, device=machine.device).uniform_(-1, 1).to(kind)
    return x.contiguous(memory_format=layout) if len(shape) == 4 else x


def run_of(machine, how, x, w):
    convolve = machine.torch.nn.functional.conv2d
    if how == "compiled":
        compiled = machine.compiled(lambda a, b: convolve(a, b, padding=1))
        return lambda i: compiled(x[i], w[i])
    if how == "graph":
        replays = [machine.graph_of(lambda a=a, b=b: convolve(a, b, padding=1)) for a, b in zip(x, w)]
        return lambda i: replays[i]()
    return lambda i: convolve(x[i], w[i], padding=1)


def flops_of(batch, size, channels_in, channels_out):
    return 2 * 9 * batch * size * size * channels_in * channels_out


def rates(us, flops, own_flops, size):
    return {"GB/s": size / us / 1e3, "GFLOP/s": own_flops / us / 1e3, "dense_GFLOP/s": flops / us / 1e3}


def convolution(machine, sizes, number, layout_name, how):
    torch, batch = machine.torch, batch_of(machine)
    channels_in, channels_out, size = sizes
    layout = torch.channels_last if layout_name == "NHWC" else torch.contiguous_format
    shape_x, shape_w = (batch, channels_in, size, size), (channels_out, channels_in, 3, 3)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = number == "tf32"
    bytes_of = 2 if number == "bf16" else 4
    size_of_all = bytes_of * (batch * size * size * (channels_in + channels_out) + 9 * channels_in * channels_out)
    copies = copies_for(machine, size_of_all)
    x = [random(machine, shape_x, number, layout) for _ in range(copies)]
    w = [random(machine, shape_w, number, layout) for _ in range(copies)]
    run = run_of(machine, how, x, w)
    expected = torch.nn.functional.conv2d(x[0][:1].double(), w[0][:FEW].double(), padding=1)
    error = relative_error(run(0)[:1, :FEW], expected)
    warm, cold = times(machine, run, copies)
    flops = flops_of(batch, size, channels_in, channels_out)
    return {"us": warm, "cold_us": cold, "error": error, **rates(warm, flops, flops, size_of_all)}


def equivariant(machine, fields, order, training):
    from escnn import gspaces
    from escnn import nn as enn
    from peer_escnn import convolution as equivariant_convolution, regular

    torch, batch = machine.torch, batch_of(machine)
    fields_in, fields_out, size = fields
    space = gspaces.flipRot2dOnR2(order // 2)
    kind_in, kind_out = regular(space, fields_in), regular(space, fields_out)
    layer = equivariant_convolution(kind_in, kind_out).to(machine.device)
    with torch.no_grad():
        layer.eval()
    x = random(machine, (batch, kind_in.size, size, size), "float32", torch.contiguous_format)
    torch.backends.cudnn.allow_tf32 = False
    expected = torch.nn.functional.conv2d(x[:1].double(), layer.filter[:order].double(), padding=1)
    if training:
        layer.train()
        dy = random(machine, (batch, kind_out.size, size, size), "float32", torch.contiguous_format)

        def run(i):
            layer.weights.grad = None
            y = layer(enn.GeometricTensor(x.detach().requires_grad_(), kind_in)).tensor
            y.backward(dy)
            return y
    else:
        run = torch.no_grad()(lambda i: layer(enn.GeometricTensor(x, kind_in)).tensor)
    error = relative_error(run(0)[:1, :order].detach(), expected)
    warm, _ = times(machine, run, 1)
    flops = flops_of(batch, size, kind_in.size, kind_out.size) * (3 if training else 1)
    size_of_all = 4 * batch * size * size * (kind_in.size + kind_out.size)
    return {"us": warm, "error": error, **rates(warm, flops, flops, size_of_all)}


def case_of(machine, sizes, order):
    what = f"{sizes[0]}→{sizes[1]}"
    images = f"{batch_of(machine)} x {sizes[2]}²"
    return f"D16 convolution/order {order}, {what}, {images}" if order > 1 else f"convolutions/{what} 3x3, {images}"


def cases_of(machine):
    if machine.small:
        return [((1, 2, 8), 16), ((4, 4, 8), 1)]
    return [(sizes, order) for order in (16, 32) for sizes in SHAPES] + [(sizes, 1) for sizes in DENSE]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_arguments(parser)
    machine, results = start(parser.parse_args())
    if not machine:
        return 0
    for how in ("eager", "graph", "compiled"):
        for sizes, order in cases_of(machine):
            channels, case = (sizes[0] * order, sizes[1] * order, sizes[2]), case_of(machine, sizes, order)
            for number in NUMBERS:
                for layout in ("NHWC", "NCHW"):
                    results.attempt(f"{case}, forward/{number}/PyTorch, {layout}, {how}",
                                    lambda: convolution(machine, channels, number, layout, how))
            for training in (False, True) if how == "eager" and order > 1 else ():
                more = ", forward and gradients/float32/escnn" if training else ", forward/float32/escnn, filter expanded before"
                results.attempt(case + more, lambda: equivariant(machine, sizes, order, training))
    return int(machine.small and results.failures > 0)


if __name__ == "__main__":
    sys.exit(main())
