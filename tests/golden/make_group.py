"""Golden cases of the group ops from escnn: other groups, one field, primes, strides, trivial sides, ties.

Run: python tests/golden/make_group.py   (needs torch, escnn, numpy < 2, safetensors)
"""
import math

import escnn
import numpy as np
import torch
import torch.nn.functional as F
from escnn import gspaces
from escnn import nn as enn
from escnn.group import _numerical

from case import differentiable, numbers, save

SOURCE = f"escnn {escnn.__version__}, torch {torch.__version__}"

# escnn 1.0.11 hands np.matrix to scikit-learn, which takes arrays only.
svd = _numerical.randomized_svd
_numerical.randomized_svd = lambda matrix, *args, **options: svd(np.asarray(matrix), *args, **options)


def space(kind, n):
    if kind == "C":
        return gspaces.rot2dOnR2(n) if n > 1 else gspaces.trivialOnR2()
    return gspaces.flipRot2dOnR2(n) if n > 1 else gspaces.flip2dOnR2(axis=math.pi / 2)


def rings(kernel):
    """The rings that R2Conv takes by default: radii, Gaussian widths, highest frequencies."""
    last = kernel // 2
    radii = list(range(last + 1))
    sigmas = [0.005] + [0.6] * (last - 1) + [0.4] * (last > 0)
    frequencies = [0] + [2 * r - (r + 1) % 2 for r in radii[1:-1]] + [2] * (last > 0)
    return radii, sigmas, frequencies


def convolution(name, kind, n, fields_in, fields_out, size, kernel, stride, padding, in_repr="regular", out_repr="regular"):
    torch.manual_seed(len(name) + n)
    act = space(kind, n)
    types = {"regular": act.regular_repr, "trivial": act.trivial_repr}
    layer = enn.R2Conv(enn.FieldType(act, fields_in * [types[in_repr]]), enn.FieldType(act, fields_out * [types[out_repr]]),
                       kernel, stride=stride, padding=padding, bias=False).double()
    radii, sigmas, frequencies = rings(kernel)
    with torch.no_grad():
        filter = layer.expand_parameters()[0].float()
        columns = []  # the filter of each weight alone: they span the equivariant filters
        for i in range(layer.weights.numel()):
            layer.weights.data.copy_(torch.eye(layer.weights.numel(), dtype=torch.double)[i])
            columns.append(layer.expand_parameters()[0].flatten())
        span = torch.stack(columns, 1)
    x = numbers(n, size[0], fields_in * layer.in_type.representations[0].size, *size[1:])
    wide, taps = x.double().requires_grad_(), filter.double().requires_grad_()
    y = F.conv2d(wide, taps, stride=stride, padding=padding)
    cotangent = numbers(n + 1, *y.shape)
    dx, dfilter = torch.autograd.grad((y * cotangent.double()).sum(), [wide, taps])
    basis, sizes, _ = torch.linalg.svd(span, full_matrices=False)
    basis = basis[:, sizes > 1e-6 * sizes[0]]
    projected = (basis @ (basis.T @ dfilter.flatten())).reshape(dfilter.shape)
    attrs = {"group": kind, "n": n, "kernel": kernel, "stride": stride, "padding": padding, "rings": radii, "sigmas": sigmas,
             "max_freqs": frequencies, "in_repr": in_repr, "out_repr": out_repr,
             "weights_per_pair": layer.weights.numel() // (fields_in * fields_out)}
    save("group_conv2d_" + name, "group_conv2d", attrs, {"x": x, "filter": filter}, {"y": y}, {"x": dx, "filter": projected},
         cotangent, source=SOURCE)


convolution("D1_k3", "D", 1, 3, 2, (1, 5, 7), 3, 1, 1)
convolution("D2_k5_valid", "D", 2, 1, 1, (1, 7, 6), 5, 1, 0)
convolution("D3_k3_stride3", "D", 3, 1, 2, (1, 7, 8), 3, 3, 1)
convolution("C2_k7", "C", 2, 1, 1, (1, 5, 5), 7, 1, 3)
convolution("C3_k9_lift", "C", 3, 1, 1, (1, 3, 11), 9, 2, 4, in_repr="trivial")
convolution("C5_k3", "C", 5, 1, 3, (1, 3, 1), 3, 1, 1)
convolution("C16_k1", "C", 16, 1, 1, (1, 2, 2), 1, 1, 0)
convolution("D4_k5_project", "D", 4, 1, 2, (1, 6, 6), 5, 2, 2, out_repr="trivial")
convolution("D8_k3_one_field", "D", 8, 1, 1, (1, 4, 5), 3, 2, 0)


def by_field(x, order):
    return x.reshape(x.shape[0], -1, order, *x.shape[2:])


for kind, n, order in (("D", 4, 8), ("C", 3, 3)):
    steps = torch.floor(numbers(7, 2, 2 * order, 3, 1, low=0, high=4))  # ties: the first of the largest takes the gradient
    attrs = {"group": kind, "n": n}

    def group_max(x):
        values = by_field(x, order)
        first = (values == values.max(2, keepdim=True)[0]).double().argmax(2, keepdim=True)
        return values.gather(2, first)[:, :, 0]

    differentiable(f"group_max_pool_{kind}{n}_ties", "group_max_pool", attrs, {"x": steps}, group_max, ["x"], source=SOURCE)
    differentiable(f"group_mean_pool_{kind}{n}", "group_mean_pool", attrs, {"x": numbers(8, 1, 5 * order, 1, 2)},
                   lambda x: by_field(x, order).mean(2), ["x"], source=SOURCE)


def inner_batch_norm(name, kind, n, shape, training):
    act = space(kind, n)
    fields = shape[1]
    order = act.regular_repr.size
    layer = enn.InnerBatchNorm(enn.FieldType(act, fields * [act.regular_repr]), eps=1e-4, momentum=0.3).double().train(training)
    norm = getattr(layer, next(key for key, _ in layer.named_children()))
    inputs = {"x": 10 + numbers(9, shape[0], fields * order, *shape[2:]), "weight": numbers(10, fields),
              "bias": numbers(11, fields), "running_mean": numbers(12, fields), "running_var": numbers(13, fields, low=0.5, high=2)}

    def run(x, weight, bias, running_mean, running_var):
        norm.running_mean.copy_(running_mean.detach()), norm.running_var.copy_(running_var.detach())
        parameters = {key: value for key, value in zip(("weight", "bias"), (weight, bias))}
        prefix = next(key for key, _ in layer.named_children())
        y = torch.func.functional_call(layer, {f"{prefix}.{key}": value for key, value in parameters.items()},
                                       (enn.GeometricTensor(x, layer.in_type),)).tensor
        return {"y": y, "running_mean": norm.running_mean.clone(), "running_var": norm.running_var.clone()}

    differentiable(name, "inner_batch_norm", {"group": kind, "n": n, "training": training, "eps": 1e-4, "momentum": 0.3}, inputs,
                   run, ["x", "weight", "bias"], source=SOURCE)


inner_batch_norm("inner_batch_norm_D3_train", "D", 3, (1, 5, 1, 3), True)
inner_batch_norm("inner_batch_norm_C5_eval", "C", 5, (2, 1, 2, 1), False)


def antialiased(name, x, sigma, kernel, stride, padding):
    axis = torch.arange(kernel, dtype=torch.double) - (kernel - 1) / 2
    gauss = torch.exp(-axis**2 / (2 * sigma**2))
    window = torch.outer(gauss, gauss) / gauss.sum() ** 2
    channels = x.shape[1]
    differentiable(name, "antialiased_avg_pool", {"sigma": sigma, "stride": stride, "padding": padding, "kernel": kernel},
                   {"x": x}, lambda x: F.conv2d(x, window.expand(channels, 1, kernel, kernel), None, stride, padding,
                                                groups=channels), ["x"])


antialiased("antialiased_avg_pool_stride3", numbers(14, 1, 7, 8, 5), 1.0, 7, 3, 1)
antialiased("antialiased_avg_pool_one_pixel", numbers(15, 2, 1, 1, 1), 0.5, 3, 2, 1)
