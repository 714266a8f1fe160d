"""Golden cases of whole networks from escnn, with the weights as tools/escnn_to_d16.py converts them.

Run: python tests/golden/make_network.py   (needs torch, escnn, numpy < 2, safetensors)
"""

import os
import sys

import torch

from case import FOLDER, numbers, save

sys.path.insert(0, os.path.join(FOLDER, "..", "..", "tools"))

import d16_exchange as exchange
import escnn_to_d16
from d16_exchange import case as network_case
from escnn import nn as enn

BLUR = "antialiased_avg_pool sigma .66 stride 2 pad 2"
CONV = "conv3x3"
MAXIMUM = "max_pool kernel 3 stride 2 pad 1"
TAIL = "group_max_pool, spatial mean, linear"
TEXTS = {
    "D4": {
        "group": "D",
        "n": 4,
        "widths": [2, 3, 2, 5],
        "size": 17,
        "layers": f"mask margin 2, [{CONV} pad 1 bias, inner_batch_norm, elu, ({MAXIMUM} after every second)]*, {TAIL}",
    },
    "D8": {
        "group": "D",
        "n": 8,
        "widths": [3, 2],
        "size": 21,
        "layers": f"[conv5x5 pad 2 stride 2, inner_batch_norm, relu, ({BLUR} after every second)]*, {TAIL}",
    },
    "C8": {
        "group": "C",
        "n": 8,
        "widths": [2, 3, 2],
        "size": 16,
        "layers": f"[conv3x3 pad 0, inner_batch_norm, relu, (avg_pool kernel 2 stride 2 after every third)]*, {TAIL}",
    },
}


def every_layer(size=15):
    """All layers that the exchange knows, in one network of D3, a group that the pixel grid does not have."""
    act = network_case.space("D", 3)
    image = enn.FieldType(act, 2 * [act.trivial_repr])
    two, three = (enn.FieldType(act, n * [act.regular_repr]) for n in (2, 3))
    pooled = enn.FieldType(act, 3 * [act.trivial_repr])
    net = enn.SequentialModule(
        enn.MaskModule(image, size, margin=5.0, sigma=1.5),
        enn.R2Conv(image, two, 5, padding=2, bias=True),
        enn.InnerBatchNorm(two),
        enn.ELU(two, 0.5),
        enn.PointwiseMaxPool(two, 3, 1, 1),
        enn.PointwiseDropout(two, 0.25),
        enn.R2Conv(two, three, 3, padding=0, stride=2, bias=False),
        enn.InnerBatchNorm(three, eps=1e-4, momentum=0.2),
        enn.ReLU(three, inplace=True),
        enn.PointwiseAvgPool(three, 3, 1, 1),
        enn.PointwiseMaxPoolAntialiased(three, 2, 1, sigma=0.4),
        enn.GroupPooling(three),
        enn.R2Conv(pooled, two, 1),
        enn.ReLU(two),
        enn.MaskModule(two, 6, margin=0.0, sigma=3.0),
        enn.PointwiseAvgPoolAntialiased(two, 0.5, 1),
        enn.R2Conv(two, image, 3, padding=1, bias=True),
        enn.InnerBatchNorm(image),
    )
    head = torch.nn.Sequential(
        torch.nn.MaxPool2d(2, 1),
        torch.nn.AvgPool2d(2, 1, 1, count_include_pad=False),
        torch.nn.Flatten(),
        torch.nn.BatchNorm1d(72),
        torch.nn.Linear(72, 5, bias=False),
        torch.nn.BatchNorm1d(5),
        torch.nn.ELU(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(5, 4),
        torch.nn.ReLU(),
        torch.nn.Linear(4, 3),
    )
    return torch.nn.ModuleDict({"net": net, "head": head})


def scatter(network, seed=1):
    """Numbers that training would give: no running mean is 0, no scale is 1."""
    with torch.no_grad():
        for i, (name, tensor) in enumerate(sorted(network.state_dict(keep_vars=True).items())):
            last = name.split(".")[-1]
            if last in ("running_mean", "bias"):
                tensor.copy_(numbers(seed + i, *tensor.shape, low=-0.5, high=0.5))
            elif last == "running_var" or (last == "weight" and tensor.dim() == 1):
                tensor.copy_(numbers(seed + i, *tensor.shape, low=0.5, high=1.5))
    return network


def networks():
    """(name, attributes, network, image) of each case."""
    for name, attrs in TEXTS.items():
        yield name, attrs, scatter(network_case.network(attrs, 3, 2)), numbers(2, 2, 3, attrs["size"], attrs["size"])
    attrs = {"group": "D", "n": 3, "widths": [], "size": 15, "layers": "every_layer of make_network.py"}
    yield "every_layer", attrs, scatter(every_layer()), numbers(3, 3, 2, 15, 15)


def exact_pooling(module, inputs, output):
    """escnn's GroupPooling rounds to float32, whatever comes in."""
    x = inputs[0].tensor
    return enn.GeometricTensor(x.reshape(x.shape[0], len(module.in_type), -1, *x.shape[2:]).amax(2), module.out_type)


def answer(network, x):
    """In evaluation and float64. escnn shares its bases between networks, so that the type must be set back."""
    for module in network.modules():
        if type(module) is enn.GroupPooling:
            module.register_forward_hook(exact_pooling)
    network.double()
    exchange.expand_again(network)
    with torch.no_grad():
        y = exchange.plain(exchange.call(network.eval(), x.double()))
    network.float()
    exchange.expand_again(network)
    return y


if __name__ == "__main__":
    torch.manual_seed(4)
    for name, attrs, network, x in networks():
        escnn_to_d16.save(network, os.path.join(FOLDER, f"network_io_{name}.weights.safetensors"), attrs["size"])
        save(
            f"network_io_{name}",
            "network_io",
            attrs,
            {"x": x},
            {"logits": answer(network, x)},
            source=exchange.source(),
        )
