#!/usr/bin/env python3
"""PyTorch on the GPU, on the ops of bench_cuda that memory bounds, and on its work with images.

scripts/gpu_check.sh calls this. Names, sizes and inputs are those of bench/memory_ops.hpp and bench/cuda/vision.cpp, whose
rows say what share of the card's copy rate is reached. Images are measured in both memory layouts, eagerly, and compiled by
torch.compile in channels_last, forward and, where d16 has that row, backward alone. HOG is scikit-image's, on one core.
"""
import argparse
import math
import sys
import time

from torch_gpu import Skipped, add_arguments, start

REPEATS = 10  # of a run for one time


def functions(torch):
    """name: (inputs, function, backward); inputs are sizes of N,C,H,W, "image", "feature" (channels are C G), "row", "labels"."""
    F = torch.nn.functional
    one = lambda f, backward=True: (["image"], f, backward)
    two = lambda f, backward=True: (["image", "image"], f, backward)

    def blur(x):
        line = torch.exp(-(torch.arange(5, device=x.device, dtype=x.dtype) - 2) ** 2 / (2 * 0.66**2))
        kernel = torch.outer(line, line) / line.sum() ** 2
        return F.conv2d(x, kernel.expand(x.shape[1], 1, 5, 5), stride=2, padding=2, groups=x.shape[1])

    def elements(x):
        return x.unflatten(1, (-1, 16))  # N,C,G,H,W

    def turned(x, degrees):
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        matrix = torch.tensor([[c, -s, 0], [s, c, 0]], device=x.device).expand(len(x), 2, 3)
        return F.grid_sample(x, F.affine_grid(matrix, x.shape, align_corners=False), align_corners=False)

    def gates(x, w1, b1, w2, b2):
        return x * torch.sigmoid(F.linear(torch.relu(F.linear(x.mean((2, 3)), w1, b1)), w2, b2))[:, :, None, None]

    def inner_norm(x, w, b):
        return F.batch_norm(elements(x).flatten(2), None, None, w, b, training=True).view_as(x)

    def focal(x, t):
        likely = F.log_softmax(x, 1).gather(1, t[:, None])[:, 0]
        return (-((1 - likely.exp()) ** 2) * likely).mean()

    def with_gradient(loss):
        """As d16, whose losses make their gradients on the way forward."""
        def run(*inputs):
            leaves = [x.detach().requires_grad_() if x.is_floating_point() else x for x in inputs]
            value = loss(*leaves)
            value.backward()
            return value
        return run

    table = {
        "relu": one(torch.relu), "elu": one(F.elu), "sigmoid": one(torch.sigmoid), "silu": one(F.silu), "tanh": one(torch.tanh),
        "softplus": one(F.softplus), "exp": one(torch.exp), "log": one(torch.log), "sqrt": one(torch.sqrt),
        "square": one(torch.square), "abs": one(torch.abs), "asinh": one(torch.asinh), "neg": one(torch.neg),
        "clamp": one(lambda x: x.clamp(0.2, 0.7)), "dropout": one(lambda x: F.dropout(x, 0.5)),
        "spatial_dropout": one(lambda x: F.dropout2d(x, 0.5)),
        "add": two(torch.add, False), "subtract": two(torch.sub), "multiply": two(torch.mul), "divide": two(torch.div),
        "maximum": two(torch.maximum), "minimum": two(torch.minimum),
        "reparameterise": two(lambda mu, logvar: mu + (logvar / 2).exp() * torch.randn_like(mu)),
        "sum": one(torch.sum), "mean rows": one(lambda x: x.mean(1, keepdim=True)), "max": one(torch.max),
        "max rows": one(lambda x: x.amax(1, keepdim=True)), "argmax": (["row"], lambda x: x.argmax(1), False),
        "sum_to": one(lambda x: x.sum((0, 2, 3))), "global_avg_pool": one(lambda x: x.mean((2, 3))),
        "softmax": (["row"], lambda x: x.softmax(1), True), "log_softmax": (["row"], lambda x: x.log_softmax(1), True),
        "concat": two(lambda a, b: torch.cat([a, b], 1)),
        "contiguous": one(lambda x: x.permute(0, 3, 2, 1).contiguous()), "clone": one(torch.clone, False),
        "cast": one(lambda x: x.to(torch.bfloat16)), "to": one(lambda x: x.to("cpu", copy=True), False),
        "max_pool2d": one(lambda x: F.max_pool2d(x, 2)), "max_pool2d 3x3": one(lambda x: F.max_pool2d(x, 3, 2, 1)),
        "avg_pool2d": one(lambda x: F.avg_pool2d(x, 2)), "adaptive_avg_pool2d": one(lambda x: F.adaptive_avg_pool2d(x, 4)),
        "upsample": one(lambda x: F.interpolate(x, scale_factor=2)),
        "upsample bilinear": one(lambda x: F.interpolate(x, scale_factor=2, mode="bilinear")),
        "pad2d": one(lambda x: F.pad(x, (2, 2, 2, 2), mode="circular")),
        "antialiased_avg_pool": (["feature"], blur, True),
        "group_max_pool": (["feature"], lambda x: elements(x).amax(2), True),
        "group_mean_pool": (["feature"], lambda x: elements(x).mean(2), True),
        "act": (["feature"], lambda x: elements(x).roll(6, 2).rot90(1, (3, 4)).flatten(1, 2), True),
        "turn": one(lambda x: turned(x, 20)),
        "linear": (["row", (32, 32), (32,)], F.linear, True),
        "conv_transpose2d": (["image", (32, 8, 2, 2), (8,)], lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2), True),
        "lift_conv2d": (["plane", (32, 1, 3, 3)], lambda x, w: F.conv2d(x, w, padding=1), True),
        "project_conv2d": (["feature", (1, 128, 3, 3)], lambda x, w: F.conv2d(x, w, padding=1), True),
        "batch_norm2d": (["image", (32,), (32,)], lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), True),
        "inner_batch_norm": (["feature", (8,), (8,)], inner_norm, True),
        "group_norm": (["image", (32,), (32,)], lambda x, w, b: F.group_norm(x, 8, w, b), True),
        "squeeze_excitation": (["image", (8, 32), (8,), (32, 8), (32,)], gates, True),
        "bce": two(with_gradient(F.binary_cross_entropy), False),
        "bce_with_logits": two(with_gradient(F.binary_cross_entropy_with_logits), False),
        "mse": two(with_gradient(F.mse_loss), False), "l1": two(with_gradient(F.l1_loss), False),
        "kl_standard_normal": two(with_gradient(lambda mu, v: -0.5 * (1 + v - mu.square() - v.exp()).mean()), False),
        "cross_entropy": (["row", "labels"], with_gradient(F.cross_entropy), False),
        "focal_loss": (["row", "labels"], with_gradient(focal), False),
    }
    return table


def inputs_of(machine, names, layout):
    torch, batch = machine.torch, 1 if machine.small else 256
    sizes = {"image": (batch, 32, 64, 64), "feature": (batch, 128, 32, 32), "plane": (batch, 1, 64, 64), "row": (batch * 4096, 32)}
    inputs = []
    for name in names:
        if name == "labels":
            inputs.append(torch.arange(batch * 4096, device=machine.device) * 7 % 32)
            continue
        x = torch.rand(sizes.get(name, name), device=machine.device) * 0.8 + 0.1
        inputs.append(x.contiguous(memory_format=torch.channels_last) if layout == "NHWC" and x.dim() == 4 else x)
    return inputs


def forward_time(machine, run, inputs):
    leaves = [x.requires_grad_() if x.is_floating_point() else x for x in inputs]
    run(*leaves)
    return machine.median_us(1 if machine.small else REPEATS, lambda i: run(*leaves))


def backward_time(machine, run, inputs):
    def once():
        leaves = [x.detach().requires_grad_() for x in inputs]
        y = run(*leaves)
        dy = machine.torch.ones_like(y)
        return machine.milliseconds(1, lambda i: y.backward(dy))

    once()
    times = sorted(once() for _ in range(1 if machine.small else 5 * REPEATS))
    return 1e3 * times[len(times) // 2]


def ops(machine, results):
    for name, (names, function, backward) in functions(machine.torch).items():
        layouts = ("NHWC", "NCHW") if names[0] in ("image", "feature", "plane") else ("rows",)
        for way in ("", ", backward") if backward else ("",):
            for layout, how in [(l, "eager") for l in layouts] + [(layouts[0], "compiled")]:

                def run():
                    call = machine.compiled(function) if how == "compiled" else function
                    inputs = inputs_of(machine, names, layout)
                    return {"us": (backward_time if way else forward_time)(machine, call, inputs)}

                results.attempt(f"memory/{name}{way}/float32/PyTorch, {layout}, {how}", run)


def hog_time(pictures, side):
    """Of scikit-image, with its usual options, on the one core that it uses."""
    try:
        import numpy
        from skimage.feature import hog
    except ImportError as missing:
        raise Skipped(str(missing)) from missing
    picture = numpy.random.default_rng(1).random((side, side)).astype(numpy.float32)
    times = []
    while len(times) < 5 or sum(times) < 0.3:
        start_of_one = time.process_time()
        hog(picture)
        times.append(time.process_time() - start_of_one)
    return {"us": 1e6 * sorted(times)[len(times) // 2] * pictures, "us/picture": 1e6 * sorted(times)[len(times) // 2]}


def images(machine, results):
    torch = machine.torch
    for pictures in (1, 3) if machine.small else (1, 64, 1024):
        for what in ("HOG of", "HOG with copies of"):
            results.attempt(f"vision/{what} {pictures} x 64 x 64 x 1/float32/scikit-image, one core", lambda: hog_time(pictures, 64))
    pixels = 3000 if machine.small else 3 << 24

    def stretch():
        x = torch.rand(pixels, device=machine.device)
        f = lambda: torch.asinh((x - 0.1) / 0.2).sub(0.9).div(4)
        f()
        return {"us": machine.median_us(1 if machine.small else REPEATS, lambda i: f())}

    results.attempt(f"vision/stretch of {pixels} pixels, 3 bands/float32/PyTorch, eager", stretch)
    batch = 2 if machine.small else 256
    for channels, noise in ((3, False), (7, True)):

        def augment():
            x = torch.rand(batch, channels, 64, 64, device=machine.device).contiguous(memory_format=torch.channels_last)
            F = torch.nn.functional

            def f():
                angle = 2 * math.pi * torch.rand(batch, device=machine.device)
                shift = (2 * torch.rand(batch, 2, device=machine.device) - 1) * 2 / 32
                c, s = angle.cos(), angle.sin()
                matrix = torch.stack([torch.stack([c, -s, shift[:, 0]], 1), torch.stack([s, c, shift[:, 1]], 1)], 1)
                y = F.grid_sample(x, F.affine_grid(matrix, x.shape, align_corners=False), align_corners=False)
                return y + 0.1 * torch.randn_like(y) if noise else y

            f()
            return {"us": machine.median_us(1 if machine.small else REPEATS, lambda i: f())}

        name = f"vision/augment{' with noise' if noise else ''} {batch} x 64 x 64 x {channels}/float32/PyTorch, NHWC, eager"
        results.attempt(name, augment)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_arguments(parser)
    machine, results = start(parser.parse_args())
    if not machine:
        return 0
    ops(machine, results)
    images(machine, results)
    return int(machine.small and results.failures > 0)


if __name__ == "__main__":
    sys.exit(main())
