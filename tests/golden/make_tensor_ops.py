"""Golden cases of pointwise functions, arithmetic, reductions, views, padding, random ops and the action of a group.

Run: python tests/golden/make_tensor_ops.py   (needs torch, numpy, safetensors)
PyTorch computes all but the random numbers (Philox 4x32-10 of Salmon et al. 2011, written down here with the authors'
known answer) and turns by any angle (cubic convolution of Keys 1981 as a matrix, and the Fourier shift theorem).
"""
import math

import numpy as np
import torch
import torch.nn.functional as F

from case import differentiable, numbers, save

ODD = (3, 7, 5)

# ---- functions of one variable; each range keeps away from kinks and poles, and edges have their own case ----
UNARY = {
    "tanh": (torch.tanh, -3, 3),
    "exp": (torch.exp, -3, 3),
    "log": (torch.log, 0.1, 3),
    "sqrt": (torch.sqrt, 0.1, 3),
    "square": (torch.square, -1, 1),
    "abs": (torch.abs, -1, 1),
    "asinh": (torch.asinh, -5, 5),
    "neg": (torch.neg, -1, 1),
}
for seed, (op, (function, low, high)) in enumerate(UNARY.items()):
    x = numbers(200 + seed, *ODD, low=low, high=high)
    differentiable(f"{op}_odd", op, {}, {"x": x}, lambda x: function(x), ["x"], rtol=2e-6, atol=1e-7)
differentiable("clamp_odd", "clamp", {"low": -0.5, "high": 0.25}, {"x": numbers(210, 17)},
               lambda x: x.clamp(-0.5, 0.25), ["x"])

# ---- functions of two variables: broadcast tensors, and a number on either side ----
BINARY = {
    "add": torch.add,
    "subtract": torch.sub,
    "multiply": torch.mul,
    "divide": torch.div,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
}
for seed, (op, function) in enumerate(BINARY.items()):
    a, b = numbers(220 + seed, 2, 5, 1, 7), numbers(230 + seed, 3, 1, low=0.5, high=2)
    differentiable(f"{op}_broadcast", op, {}, {"a": a, "b": b}, lambda a, b: function(a, b), ["a", "b"])
    number = torch.tensor(1.5, dtype=torch.double)
    a = numbers(240 + seed, 17, low=0.5, high=2.5)
    differentiable(f"{op}_number", op, {"b": 1.5}, {"a": a}, lambda a: function(a, number), ["a"])
    differentiable(f"{op}_of_number", op, {"a": 1.5}, {"b": a}, lambda b: function(number, b), ["b"])
differentiable("subtract_unary", "subtract", {}, {"a": numbers(249, 11)}, lambda a: -a, ["a"])

# ---- reductions ----
for op, function in {"sum": torch.sum, "mean": torch.mean}.items():
    differentiable(f"{op}_all", op, {}, {"x": numbers(250, *ODD)}, lambda x: function(x), ["x"])
    differentiable(f"{op}_last", op, {"axes": [-1], "keep": False}, {"x": numbers(251, 5, 67)},
                   lambda x: function(x, -1), ["x"])
    differentiable(f"{op}_apart", op, {"axes": [0, 2], "keep": True}, {"x": numbers(252, 3, 5, 7, 2)},
                   lambda x: function(x, (0, 2), keepdim=True), ["x"])
steps = torch.floor(numbers(253, 5, 41, low=0, high=9))  # many equal values: the first one takes the gradient


def first_max(x, axis):
    first = (x == x.max(axis, keepdim=True)[0]).double().argmax(axis, keepdim=True)
    return x.gather(axis, first)


differentiable("max_ties", "max", {"axes": [1], "keep": True}, {"x": steps}, lambda x: first_max(x, 1), ["x"])
differentiable("max_columns", "max", {"axes": [0], "keep": True}, {"x": steps}, lambda x: first_max(x, 0), ["x"])
differentiable("max_all", "max", {}, {"x": numbers(254, 3, 5, 7)}, lambda x: x.max().reshape(1), ["x"])
for axis in (0, 1):
    first = (steps == steps.max(axis, keepdim=True)[0]).double().argmax(axis)
    save(f"argmax_ties_{axis}", "argmax", {"axis": axis}, {"x": steps}, {"y": first})
differentiable("sum_to_row", "sum_to", {"shape": [5, 1]}, {"x": numbers(255, 3, 5, 7)},
               lambda x: x.sum((0, 2)).reshape(5, 1), ["x"])
differentiable("global_avg_pool_odd", "global_avg_pool", {}, {"x": numbers(256, 2, 3, 5, 7)},
               lambda x: x.mean((2, 3)), ["x"])

# ---- views and copies ----
parts = {name: numbers(260 + i, 3, size, 5) for i, (name, size) in enumerate({"a": 2, "b": 4, "c": 1}.items())}
differentiable("concat_three", "concat", {"axis": 1}, parts, lambda a, b, c: torch.cat([a, b, c], 1), ["a", "b", "c"])
x = {"x": numbers(264, 3, 7, 2, 4)}
differentiable("slice_middle", "slice", {"axis": 1, "begin": 2, "end": 5}, x, lambda x: x[:, 2:5], ["x"])
differentiable("select_last", "select", {"axis": 3, "index": 3}, x, lambda x: x[..., 3], ["x"])
differentiable("permute_all", "permute", {"order": [2, 0, 3, 1]}, x, lambda x: x.permute(2, 0, 3, 1), ["x"])
differentiable("reshape_joined", "reshape", {"shape": [6, -1]}, x, lambda x: x.reshape(6, -1), ["x"])
differentiable("expand_leading", "expand", {"shape": [2, 3, 4, 5]}, {"x": numbers(265, 3, 1, 5)},
               lambda x: x.expand(2, 3, 4, 5), ["x"])
differentiable("clone_odd", "clone", {}, x, lambda x: x.clone(), ["x"])
differentiable("contiguous_turned", "contiguous", {"order": [3, 1, 0, 2]}, x, lambda x: x.permute(3, 1, 0, 2), ["x"])
halves = torch.tensor([1 + 2.0**-8, 1 + 3 * 2.0**-8, -1 - 2.0**-8, 0.1, 3e38, -0.0])  # ties go to even
save("cast_bfloat16", "cast", {"dtype": "bfloat16"}, {"x": halves}, {"y": halves.bfloat16().double()}, rtol=0, atol=0)
save("cast_int64", "cast", {"dtype": "int64"}, {"x": torch.tensor([1.9, -1.9, 0.5, -0.5, 1e9])},
     {"y": torch.tensor([1, -1, 0, 0, 1000000000])})

# ---- padding ----
for mode, torch_mode in {"zeros": "constant", "circular": "circular", "reflect": "reflect"}.items():
    attrs = {"top": 2, "bottom": 1, "left": 3, "right": 4, "mode": mode}
    differentiable(f"pad2d_{mode}", "pad2d", attrs, {"x": numbers(270, 2, 3, 4, 5)},
                   lambda x: F.pad(x, (3, 4, 2, 1), torch_mode), ["x"])


# ---- random ops ----
def philox(key, low, high):
    """Four words of 32 bits."""
    mask = 0xFFFFFFFF
    k, c = [key & mask, key >> 32], [low & mask, low >> 32, high & mask, high >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [b >> 32 ^ c[1] ^ k[0], b & mask, a >> 32 ^ c[3] ^ k[1], a & mask]
        k = [k[0] + 0x9E3779B9 & mask, k[1] + 0xBB67AE85 & mask]
    return c


assert philox(0, 0, 0) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


def words(seed, count, stream=0):
    return [word for i in range((count + 3) // 4) for word in philox(seed, i, stream)][:count]


def mask(seed, p, *shape):
    kept = [(word >> 8) / 2**24 >= p for word in words(seed, math.prod(shape))]
    return torch.tensor(kept, dtype=torch.double).reshape(shape) / (1 - p)


def noise(seed, *shape):
    count = math.prod(shape)
    w = words(seed, (count + 3) // 4 * 4)
    pairs = [(math.sqrt(-2 * math.log((a + 1) / 2**32)), 2 * math.pi * b / 2**32) for a, b in zip(w[::2], w[1::2])]
    values = [radius * turn(angle) for radius, angle in pairs for turn in (math.cos, math.sin)][:count]
    return torch.tensor(values, dtype=torch.double).float().double().reshape(shape)  # rounded as the op's numbers are


for seed, p in ((5, 0.3), (2**40 + 1, 0.75)):
    differentiable(f"dropout_{p}", "dropout", {"p": p, "seed": seed}, {"x": numbers(280, 3, 7, 11)},
                   lambda x: x * mask(seed, p, 3, 7, 11), ["x"])
differentiable("spatial_dropout_channels", "spatial_dropout", {"p": 0.4, "seed": 7}, {"x": numbers(281, 3, 11, 4, 5)},
               lambda x: x * mask(7, 0.4, 3, 11, 1, 1), ["x"])
differentiable("reparameterise_odd", "reparameterise", {"seed": 11},
               {"mu": numbers(282, 5, 7), "logvar": numbers(283, 5, 7, low=-3, high=3)},
               lambda mu, logvar: mu + torch.exp(logvar / 2) * noise(11, 5, 7), ["mu", "logvar"])


# ---- the action of a group; element flip n + k is R(2 pi k / n) F^flip, F: x -> -x, y is up ----
def moved(x, n, element):
    """The image after its symmetry: rows run down, so a counter-clockwise turn is rot90 of the array."""
    x = x.flip(3) if element >= n else x
    return torch.rot90(x, 4 * (element % n) // n, (2, 3))


def fields_moved(x, n, order, element):
    values = x.reshape(x.shape[0], -1, order, *x.shape[2:])
    k, flip = element % n, element // n
    to = [((k + (-1) ** flip * (g % n)) % n) + n * (flip ^ g // n) for g in range(order)]
    back = [to.index(g) for g in range(order)]
    return moved(values[:, :, back].reshape(x.shape), n, element)


for kind, n, order, element, size in (("D", 8, 16, 6, (4, 4)), ("D", 4, 8, 5, (3, 3)), ("C", 4, 4, 3, (5, 5)), ("D", 2, 4, 3, (3, 5))):
    attrs = {"group": kind, "n": n, "element": element, "repr": "regular"}
    differentiable(f"act_{kind}{n}_{element}", "act", attrs, {"x": numbers(290 + element, 1, 2 * order, *size)},
                   lambda x: fields_moved(x, n, order, element), ["x"])
differentiable("act_image", "act", {"group": "D", "n": 1, "element": 1, "repr": "trivial"},
               {"x": numbers(296, 2, 3, 3, 5)}, lambda x: x.flip(3), ["x"])


def keys(t):
    t = abs(t)
    return (1.5 * t - 2.5) * t * t + 1 if t < 1 else ((-0.5 * t + 2.5) * t - 4) * t + 2 if t < 2 else 0.0


def turned(x, degrees):
    """Pixel p of the result is the image, by cubic convolution, where p was before the turn."""
    H, W = x.shape[2:]
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix = np.zeros((H * W, H * W))
    for p in range(H * W):
        px, py = p % W - (W - 1) / 2, (H - 1) / 2 - p // W
        column, row = (W - 1) / 2 + c * px + s * py, (H - 1) / 2 + s * px - c * py
        for q in range(H * W):
            matrix[p, q] = keys(column - q % W) * keys(row - q // W)
    return (x.reshape(*x.shape[:2], -1) @ torch.tensor(matrix).T).reshape(x.shape)


def fields_turned(x, n, order, degrees):
    """Along a half of the axis of elements, n values on a circle: a shift by degrees / (360 / n) places."""
    values = turned(x, degrees).reshape(x.shape[0], -1, order // n, n, *x.shape[2:])
    spectrum = torch.fft.rfft(values, dim=3)
    phase = torch.exp(-1j * torch.arange(n // 2 + 1, dtype=torch.double) * math.radians(degrees))
    phase = phase.reshape(-1, 1, 1)
    return torch.fft.irfft(spectrum * phase, n, dim=3).reshape(x.shape)


differentiable("turn_image", "turn", {"degrees": 33.5, "mirror": False}, {"x": numbers(300, 1, 2, 6, 7)},
               lambda x: turned(x, 33.5), ["x"])
differentiable("turn_mirrored_image", "turn", {"degrees": -100, "mirror": True}, {"x": numbers(301, 2, 1, 5, 4)},
               lambda x: turned(x.flip(3), -100), ["x"])
differentiable("turn_D4", "turn", {"group": "D", "n": 4, "degrees": 20, "mirror": True},
               {"x": numbers(302, 1, 16, 5, 4)}, lambda x: fields_turned(fields_moved(x, 4, 8, 4), 4, 8, 20), ["x"])
differentiable("turn_C5", "turn", {"group": "C", "n": 5, "degrees": 95, "mirror": False},
               {"x": numbers(303, 1, 5, 4, 4)}, lambda x: fields_turned(x, 5, 5, 95), ["x"])
