"""The escnn network of a conformance case of op network_io, made from the case's attributes."""

import json
import math
import re

import torch
from escnn import gspaces
from escnn import nn as enn
from safetensors import safe_open

from .layers import Unsupported


def space(kind, n):
    if kind == "C":
        return gspaces.rot2dOnR2(n) if n > 1 else gspaces.trivialOnR2()
    return gspaces.flipRot2dOnR2(n) if n > 1 else gspaces.flip2dOnR2(axis=math.pi / 2)


def split(text):
    """At the commas outside of brackets."""
    parts, depth = [""], 0
    for c in text:
        depth += (c in "[(") - (c in "])")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [part.strip() for part in parts]


def numbers(words):
    """["sigma", ".66", "pad", "2"] -> {"sigma": 0.66, "pad": 2.0}; "pad2" is the same as "pad 2"."""
    return {name: float(value) for name, value in re.findall(r"([a-z]+) ?([\d.]+)", " ".join(words))}


class Builder:
    """Adds layers by their words in the attribute "layers"; each field type follows from the one before."""

    every = {"each": 1, "second": 2, "third": 3}

    def __init__(self, act, channels, classes, size):
        self.act, self.classes, self.size = act, classes, size
        self.type = enn.FieldType(act, channels * [act.trivial_repr])
        self.net, self.head, self.features = [], [], None

    def block(self, words, width, index):
        """One item of the repeated part; "(pool ... after every second)" stands behind some of the blocks only."""
        match = re.fullmatch(r"\((.*) after every (\w+)\)", words)
        if match and (index + 1) % self.every[match[2]]:
            return
        self.layer(match[1] if match else words, width)

    def layer(self, words, width=None):
        name, *rest = words.split()
        o = numbers(rest)
        convolution = re.fullmatch(r"conv(\d+)x\1", name)
        stride, pad = int(o.get("stride", 1)), int(o.get("pad", 0))
        if convolution:
            out = enn.FieldType(self.act, width * [self.act.regular_repr])
            self.add(enn.R2Conv(self.type, out, int(convolution[1]), padding=pad, stride=stride, bias="bias" in rest))
        elif name == "inner_batch_norm":
            self.add(enn.InnerBatchNorm(self.type))
        elif name == "relu":
            self.add(enn.ReLU(self.type))
        elif name == "elu":
            self.add(enn.ELU(self.type))
        elif name == "antialiased_avg_pool":
            self.add(enn.PointwiseAvgPoolAntialiased(self.type, o["sigma"], stride, pad))
        elif name in ("max_pool", "avg_pool"):
            pool = enn.PointwiseMaxPool if name == "max_pool" else enn.PointwiseAvgPool
            self.add(pool(self.type, int(o["kernel"]), stride, pad))
        elif name == "mask":
            self.add(enn.MaskModule(self.type, self.size, margin=o.get("margin", 0.0), sigma=o.get("sigma", 2.0)))
        elif name == "group_max_pool":
            self.add(enn.GroupPooling(self.type))
        else:
            raise Unsupported(f'layers: "{words}" is not known')

    def add(self, layer):
        self.net.append(layer)
        self.type = layer.out_type

    def build(self, layers, widths):
        items = split(layers)
        for position, words in enumerate(items):
            if words.startswith("["):
                for index, width in enumerate(widths):
                    for inner in split(words[1 : words.index("]*")]):
                        self.block(inner, width, index)
            elif words == "spatial mean":
                return self.finish(items[position + 1 :])
            else:
                self.layer(words)
        raise Unsupported(f'layers: "{layers}" does not end with spatial mean, linear')

    def finish(self, items):
        if items != ["linear"]:
            raise Unsupported(f"layers: after the spatial mean comes {', '.join(items)}; linear is known")
        return torch.nn.ModuleDict(
            {
                "net": enn.SequentialModule(*self.net),
                "mean": torch.nn.AdaptiveAvgPool2d(1),
                "flat": torch.nn.Flatten(),
                "head": torch.nn.Linear(self.type.size, self.classes),
            }
        )


def network(attrs, channels, classes):
    builder = Builder(space(attrs["group"], attrs["n"]), channels, classes, attrs["size"])
    return builder.build(attrs["layers"], attrs["widths"])


def of_file(path):
    """(network, size of its images) for a case; classes and channels are those of its tensors."""
    with safe_open(path, "np") as case:
        metadata = case.metadata() or {}
        if metadata.get("op") != "network_io":
            raise Unsupported(f"{path}: its op is {metadata.get('op')}; network_io is needed")
        attrs = json.loads(metadata["attrs"])
        channels, classes = case.get_slice("in.x").get_shape()[1], case.get_slice("out.logits").get_shape()[1]
    return network(attrs, channels, classes), attrs["size"]
