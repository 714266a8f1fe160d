#!/usr/bin/env python3
"""Fills a network of escnn with the weights of a d16 file and saves its state_dict.

  tools/d16_to_escnn.py IN.safetensors FACTORY.py:make -o FILE.pt

make() returns a network of the same layers, or a list or dict of parts that run one after the other; d16's filters are
expanded and escnn's coefficients found by least squares. From a program: d16_to_escnn.fill(module, "in.safetensors").
"""

import argparse
import json
import sys

import torch
from safetensors import safe_open

import d16_exchange as exchange

NORM = {"type": "inner_batch_norm", "eps": 1e-5, "momentum": 0.1}
MASK = {"type": "disk_mask", "margin": 1.0, "sigma": 2.0}
BLUR = {"type": "blur_pool", "sigma": 0.66, "kernel": 5, "stride": 2, "padding": 2}


def convolutions(d):
    """The convolutions of d16's EquivariantClassifier, whose description is d."""
    channels = d["channels"]
    for i, width in enumerate(d["widths"]):
        kernel = d["kernels"][min(i, len(d["kernels"]) - 1)]
        stride, padding = (d["first_stride"], d["first_padding"]) if i == 0 else (1, -1)
        yield {
            "type": "group_conv2d" if i else "lift_conv2d",
            "group": d["group"],
            "in": channels,
            "out": width,
            "kernel": kernel,
            "stride": stride,
            "padding": kernel // 2 if padding == -1 else padding,
            "bias": False,
        }
        channels = width


def classifier(d):
    """The stages of an EquivariantClassifier, each with the prefix of its weights' names."""
    out = [({"type": "rescale", "mean": d["mean"], "deviation": d["deviation"]}, "")] + (
        [(MASK, "")] if d["disk_mask"] else []
    )
    for i, stage in enumerate(convolutions(d)):
        out += [
            (stage, f"convs.{i - 1}." if i else "lift."),
            (NORM | {"channels": stage["out"]}, f"norms.{i}."),
            ({"type": "relu"}, ""),
        ] + ([(BLUR, "")] if i + 1 in d["pool_after"] else [])
    out += [({"type": "group_max_pool"}, ""), ({"type": "flatten" if d["flatten"] else "global_avg_pool"}, "")]
    head = []
    for width in d["hidden"]:
        head += [
            {"type": "linear", "out": width, "bias": False},
            NORM | {"type": "batch_norm1d", "channels": width},
            {"type": "elu", "alpha": 1.0},
        ]
    head += [{"type": "dropout"}] if d["dropout"] else []
    head += [{"type": "linear", "out": d["classes"], "bias": True}]
    return out + [(stage, f"head.{i}.") for i, stage in enumerate(head)]


def stages_of(description, prefix=""):
    """A chain of (stage, prefix of its weights' names) for what the metadata of a file describe."""
    if description["type"] == "equivariant_classifier":
        return classifier(description)
    if description["type"] != "sequential":
        return [(description, prefix)]
    return [item for i, stage in enumerate(description["stages"]) for item in stages_of(stage, f"{prefix}{i}.")]


def essential(items):
    """Without the stages that change nothing in evaluation."""
    out = []
    for stage, where in items:
        nothing = (
            stage["type"] == "dropout"
            or stage == {"type": "rescale", "mean": 0, "deviation": 1}
            or (stage["type"] == "flatten" and out and out[-1][0]["type"] == "global_avg_pool")
        )
        if not nothing:
            out.append((stage, where))
    return out


def same(a, b):
    """Equal in all that both say."""

    def close(x, y):
        return abs(x - y) <= 1e-5 * abs(y) if isinstance(x, float) or isinstance(y, float) else x == y

    return all(close(a[key], b[key]) for key in a.keys() & b.keys())


def matched(path, description, layers):
    """(prefix of weights' names, layer) for each stage of the file; the network must have the same stages."""
    theirs = essential(stages_of(description))
    ours = essential([(stage, layer) for layer in layers for stage in layer.stages()])
    for (stage, _), (mine, layer) in zip(theirs, ours):
        if not same(stage, mine):
            raise exchange.Unsupported(
                f"{layer} is {json.dumps(mine)} in words of d16; {path} has {json.dumps(stage)} there"
            )
    for stage, _ in theirs[len(ours) :] + ours[len(theirs) :]:
        raise exchange.Unsupported(
            f"{path} describes {len(theirs)} stages, the network has {len(ours)}: {json.dumps(stage)} has "
            "no counterpart"
        )
    return [(prefix, layer) for (_, prefix), (_, layer) in zip(theirs, ours)]


def fill(network, path, size=None, report=print):
    """Fills the weights of a live network, which must have the layers that the file describes.

    Reports for every filter how much did not fit on escnn's basis, as a share of its norm. Raises exchange.Unsupported,
    naming the layer, where the two differ and for filters that do not fit.
    """
    with safe_open(path, "np") as file:
        metadata, weights = file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}
    if "network" not in metadata:
        raise exchange.Unsupported(f"{path}: does not say which network it is for; save it with a description")
    for prefix, layer in matched(path, json.loads(metadata["network"]), exchange.layers_of(network, size)):
        own = {
            name[len(prefix) :]: value.astype(float)
            for name, value in weights.items()
            if prefix and name.startswith(prefix)
        }
        try:
            layer.write(own)
        except KeyError as name:
            raise exchange.Unsupported(f'{path}: no "{prefix}{name.args[0]}" for {layer}') from name
        if layer.misfit is not None:
            report(f"{str(layer):40} did not fit: {layer.misfit:.1e}")
    exchange.expand_again(network)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", metavar="IN.safetensors")
    parser.add_argument("factory", metavar="FACTORY.py:make")
    parser.add_argument("--size", type=int, help="pixels of a side of its images")
    parser.add_argument("-o", "--out", required=True, metavar="FILE.pt")
    arguments = parser.parse_args()
    network = exchange.load_factory(arguments.factory)
    fill(network, arguments.weights, arguments.size)
    torch.save(network.eval().state_dict(), arguments.out)
    print(arguments.out)


if __name__ == "__main__":
    try:
        main()
    except (exchange.Unsupported, OSError, ValueError) as error:
        sys.exit(f"d16_to_escnn: {error}")
