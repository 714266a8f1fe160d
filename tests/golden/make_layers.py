"""Golden cases of group norm, adaptive pooling, squeeze and excitation and the focal loss from PyTorch.

Run: python tests/golden/make_layers.py   (needs torch, safetensors)
"""

import torch
import torch.nn.functional as F

from case import differentiable, numbers


def group_norm(name, x, groups, eps=1e-5, affine=True):
    channels = x.shape[1]
    inputs = {"x": x} | ({"weight": numbers(101, channels), "bias": numbers(102, channels)} if affine else {})
    differentiable(
        name,
        "group_norm",
        {"groups": groups, "eps": eps},
        inputs,
        lambda x, weight=None, bias=None: F.group_norm(x, groups, weight, bias, eps),
        list(inputs),
    )


group_norm("group_norm_instance_primes", numbers(100, 2, 5, 7, 11), 5)
group_norm("group_norm_far_from_zero", 100 + numbers(103, 3, 6, 3, 5), 2, 1e-3)
group_norm("group_norm_one_pixel", numbers(104, 1, 34, 1, 1), 2, affine=False)
group_norm("group_norm_wide", numbers(105, 1, 262, 2, 1), 131, 0.1)


def adaptive_avg_pool(name, x, out):
    differentiable(
        name, "adaptive_avg_pool2d", {"out": out}, {"x": x}, lambda x: F.adaptive_avg_pool2d(x, out), ["x"]
    )


adaptive_avg_pool("adaptive_avg_pool2d_primes", numbers(110, 1, 3, 13, 11), (5, 7))
adaptive_avg_pool("adaptive_avg_pool2d_repeats", numbers(111, 2, 5, 2, 3), (5, 3))
adaptive_avg_pool("adaptive_avg_pool2d_one_pixel", numbers(112, 1, 1, 1, 1), (1, 1))
adaptive_avg_pool("adaptive_avg_pool2d_wide", numbers(113, 1, 131, 3, 4), (2, 1))


def squeeze_excitation(name, x, hidden, scale=1.0):
    channels = x.shape[1]
    inputs = {
        "x": x,
        "fc1.weight": scale * numbers(121, hidden, channels),
        "fc1.bias": numbers(122, hidden),
        "fc2.weight": scale * numbers(123, channels, hidden),
        "fc2.bias": numbers(124, channels),
    }

    def run(**t):
        h = F.relu(F.linear(t["x"].mean((2, 3)), t["fc1.weight"], t["fc1.bias"]))
        gate = torch.sigmoid(F.linear(h, t["fc2.weight"], t["fc2.bias"]))
        return t["x"] * gate[:, :, None, None]

    differentiable(name, "squeeze_excitation", {}, inputs, run, list(inputs))


squeeze_excitation("squeeze_excitation_primes", numbers(120, 3, 7, 5, 11), 2)
squeeze_excitation("squeeze_excitation_one_pixel", numbers(125, 1, 1, 1, 1), 1)
squeeze_excitation("squeeze_excitation_wide", numbers(126, 2, 67, 2, 3), 5)
# gates at 0 and at 1, and hidden units that are off
squeeze_excitation("squeeze_excitation_saturated", numbers(127, 2, 9, 3, 3, low=0.5, high=2), 4, 60.0)


def focal(name, logits, target, gamma, weight=None):
    inputs = {"logits": logits, "target": torch.tensor(target)} | ({} if weight is None else {"weight": weight})

    def run(logits, target, weight=None):
        log_p = F.log_softmax(logits, 1).gather(1, target[:, None])[:, 0]
        w = torch.ones_like(log_p) if weight is None else weight[target]
        return -(w * (-torch.expm1(log_p)) ** gamma * log_p).sum() / w.sum()

    differentiable(name, "focal_loss", {"gamma": gamma}, inputs, run, ["logits"], first="loss")


focal("focal_loss_5", numbers(130, 5, 5, low=-3, high=3), [0, 4, 2, 2, 1], 2.0)
focal("focal_loss_weighted", numbers(131, 7, 3, low=-5, high=5), [0, 1, 2, 1, 0, 2, 2], 0.5, numbers(132, 3, low=0.1, high=4))
focal("focal_loss_sure", torch.tensor([[12.0, -12, 0], [-9, 9, 9], [0, 0, 0]]), [0, 1, 2], 3.0)
focal("focal_loss_gamma_0", numbers(133, 1, 7), [3], 0.0)
