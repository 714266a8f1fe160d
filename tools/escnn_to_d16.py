#!/usr/bin/env python3
"""Writes a network of escnn as a file of weights for d16: free weights only, with the description to build it again.

  tools/escnn_to_d16.py FACTORY.py:make --state FILE.pt -o OUT.safetensors
  tools/escnn_to_d16.py --case CASE.safetensors

make() returns the network, or a list or dict of parts that run one after the other; FILE.pt is its state_dict. --case
makes the network of a conformance case of op network_io from its attributes, takes the .pt beside it, and writes
CASE.weights.safetensors. From a program: escnn_to_d16.save(module, "out.safetensors"). docs/exchange.md has the layers.
"""

import argparse
import json
import os
import sys

import numpy as np
from safetensors.numpy import save_file

import d16_exchange as exchange


def convert(network, size=None, report=print):
    """(description for d16, tensors by name) of a live network, which is left as it is.

    Reports for every layer with a filter how much of the filter did not fit on d16's basis, as a share of its norm.
    Raises exchange.Unsupported, naming the layer, for what d16 does not have and for filters that do not fit.
    """
    stages, tensors = [], {}
    for layer in exchange.layers_of(network, size):
        stages += layer.stages()
        weights = layer.read()
        tensors |= {f"{len(stages) - 1}.{key}": value.astype(np.float32) for key, value in weights.items()}
        misfit = "" if layer.misfit is None else f"  did not fit: {layer.misfit:.1e}"
        report(f"{str(layer):40} {', '.join(stage['type'] for stage in layer.stages()) or 'nothing to do'}{misfit}")
    return {"type": "sequential", "stages": stages}, tensors


def save(network, path, size=None, report=print, about=None):
    """convert() into a file that d16's load_network() reads. With a size, the file says which images it is for.

    about: what d16 should know besides, such as {"classes": ["elliptical", "disk"], "threshold": 0.4}.
    """
    description, tensors = convert(network, size, report)
    channels = next((stage["in"] for stage in description["stages"] if "in" in stage), None)
    if size is not None:
        description["input"] = [size, size, channels]
    metadata = {
        "format": "d16 1",
        "network": json.dumps(description, separators=(",", ":")),
        "about": json.dumps({"source": exchange.source()} | (about or {})),
    }
    groups = {stage["group"] for stage in description["stages"] if "group" in stage}
    if len(groups) > 1:
        raise exchange.Unsupported(f"the network has layers of {' and '.join(sorted(groups))}; d16 needs one group")
    if groups:
        metadata["group"] = groups.pop()
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, path, metadata)


def state_beside(case):
    """The state of a case: CASE.pt, or the only .pt whose name CASE begins with."""
    folder, stem = os.path.split(case.removesuffix(".safetensors"))
    names = [name for name in os.listdir(folder or ".") if name.endswith(".pt") and stem.startswith(name[:-3])]
    if not names:
        raise exchange.Unsupported(f"{case}: no .pt beside it whose name begins as its own")
    return os.path.join(folder, max(names, key=len))


def save_case(path, state=None, report=print):
    """Converts the network of a network_io case once; d16-conform then runs the case."""
    from d16_exchange import case

    network, size = case.of_file(path)
    exchange.load_state(network, state or state_beside(path))
    out = path.removesuffix(".safetensors") + ".weights.safetensors"
    save(network, out, size, report)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("factory", nargs="?", metavar="FACTORY.py:make")
    parser.add_argument(
        "--state", metavar="FILE.pt", help="state_dict to load; without it the network is taken as made"
    )
    parser.add_argument("--size", type=int, help="pixels of a side of its images")
    parser.add_argument("-o", "--out", metavar="OUT.safetensors")
    parser.add_argument("--case", metavar="CASE.safetensors", help="convert the network of a conformance case")
    arguments = parser.parse_args()
    if bool(arguments.case) == bool(arguments.factory and arguments.out):
        parser.error("give FACTORY.py:make and -o OUT.safetensors, or --case CASE.safetensors")
    if arguments.case:
        out = save_case(arguments.case, arguments.state)
    else:
        out = arguments.out
        network = exchange.load_factory(arguments.factory)
        if arguments.state:
            exchange.load_state(network, arguments.state)
        save(network, out, arguments.size)
    print(f"{out}: {os.path.getsize(out)} bytes")


if __name__ == "__main__":
    try:
        main()
    except (exchange.Unsupported, OSError, ValueError) as error:
        sys.exit(f"escnn_to_d16: {error}")
