"""Networks of escnn as chains of layers, and their states.

A network is read by running it once on an image and watching which layer meets what the layer before it gave, so that
any torch module will do whose forward pass is such a chain.
"""

import contextlib
import importlib.util
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from escnn import nn as enn

from .layers import LAYERS, Between, Linear, Unsupported, plain

CONTAINERS = (enn.SequentialModule, torch.nn.Sequential, torch.nn.ModuleList, torch.nn.ModuleDict)


def leaves(module, name=""):
    """The layers inside, with their paths. Classes of one's own are looked into; those without weights stay unseen."""
    children = list(module.named_children())
    library = type(module).__module__.split(".")[0] in ("torch", "escnn")
    if type(module) in LAYERS or (library and type(module) not in CONTAINERS):
        yield name, module
    elif list(module.parameters(recurse=False)):
        raise Unsupported(f"layer {name} ({type(module).__name__}): has weights of its own; d16 does not know it")
    else:
        for key, child in children:
            yield from leaves(child, f"{name}.{key}" if name else key)


def call(network, x):
    """Runs a network; one that torch itself cannot run, because escnn and torch layers meet in it, part by part."""
    if type(network) in CONTAINERS[1:]:
        for child in network.children():
            x = call(child, x)
        return x
    if isinstance(network, enn.EquivariantModule) and isinstance(x, torch.Tensor):
        x = network.in_type(x)
    return network(x if isinstance(network, enn.EquivariantModule) else plain(x))


def of_image(function):
    """For tensors (N,C,H,W); others give nothing that could be met."""
    return lambda y: function(y) if y.dim() == 4 else y.new_empty(0)


# What a forward pass may do between two layers, as long as the result shows which of them it was.
BETWEEN = {
    "nothing": lambda y: y,
    "flatten": of_image(lambda y: y.flatten(1)),
    "global_avg_pool": of_image(lambda y: y.mean((2, 3))),
    "relu": F.relu,
    "elu": F.elu,
}
OF_IMAGES = ("global_avg_pool", "batch_norm2d", "max_pool", "avg_pool", "blur_pool", "disk_mask")


class Trace:
    """The layers in the order in which they ran, each checked to have met what the one before it gave."""

    def __init__(self, image):
        self.layers, self.carries, self.order = [], "image", None
        self.keep(image)

    def keep(self, output):
        self.last, self.version = output.detach(), output._version

    def add(self, layer):
        for stage in layer.stages():
            if self.carries == "features" and stage["type"] in ("global_avg_pool", "batch_norm2d"):
                layer.refuse("works on group features; d16 needs group pooling before it")
            if self.carries == "vector" and stage["type"] in OF_IMAGES:
                layer.refuse("comes after the pixels are gone")
            if stage["type"] == "flatten" and self.last.dim() == 4:
                shape = self.last.shape[1:]
                self.order = np.arange(shape.numel()).reshape(shape).transpose(1, 2, 0).ravel()  # N,C,H,W -> N,H,W,C
                self.order = None if np.all(np.diff(self.order) == 1) else self.order
        layer.order = self.order
        self.order = None if isinstance(layer, Linear) else self.order
        self.carries = layer.gives or self.carries
        self.layers.append(layer)

    def meet(self, x, what):
        """x must be the last output itself, or what one function makes of it, and only one."""
        untouched = self.last._version == self.version
        if untouched and x.data_ptr() == self.last.data_ptr() and x.shape == self.last.shape:
            return
        slack = {"rtol": 1e-4, "atol": 1e-5 * float(self.last.abs().max())}
        fits = [
            name
            for name, f in BETWEEN.items()
            if untouched and (y := f(self.last)).shape == x.shape and torch.allclose(y, x, **slack)
        ]
        fits = fits[:1] if fits[:1] == ["flatten"] else fits  # of one pixel, which is also the mean
        if len(fits) != 1:
            before = self.layers[-1] if self.layers else "the image"
            raise Unsupported(
                f"{what} does not get what {before} gave, but {tuple(x.shape)} made of "
                f"{tuple(self.last.shape)} in {'several possible ways' if fits else 'another way'}; d16 "
                "networks are chains of layers, between which flatten, mean over pixels, relu or elu may stand"
            )
        if fits != ["nothing"]:
            self.add(Between(what, {"type": fits[0]} | ({"alpha": 1.0} if fits == ["elu"] else {})))

    def watch(self, name, module):
        """Hooks on one layer; they are taken off by their handles."""

        def before(_, inputs):
            if type(module) not in LAYERS:
                raise Unsupported(f"layer {name} ({type(module).__name__}): d16 has no such layer")
            layer = LAYERS[type(module)](name, module)
            if any(other.module is module for other in self.layers):
                layer.refuse("runs twice; d16 layers do not share weights")
            self.meet(plain(inputs[0]), str(layer))
            self.add(layer)

        def after(_, __, output):
            self.keep(plain(output))

        return module.register_forward_pre_hook(before), module.register_forward_hook(after)


@contextlib.contextmanager
def modes_kept(network):
    """Layers that are in training or in evaluation are so again at the end."""
    modes = [(module, module.training) for module in network.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.train(training)


def expand_again(network):
    """In evaluation escnn keeps expanded filters, which new weights make stale: they go with the step into training."""
    with modes_kept(network):
        network.train()


def as_module(network):
    """Lists and dicts of modules too."""
    if isinstance(network, (list, tuple)):
        return torch.nn.ModuleList(network)
    return torch.nn.ModuleDict(network) if isinstance(network, dict) else network


def layers_of(network, size=None):
    """The layers of a network as it runs on an image of size x size pixels (default: that of its mask, or 65)."""
    network = as_module(network)
    found = list(leaves(network))
    if size is None:
        size = next((m.S for _, m in found if type(m) is enn.MaskModule), 65)
    channels = next((m.in_type.size for _, m in found if hasattr(m, "in_type")), None)
    if channels is None:
        raise Unsupported("the network has no layer of escnn")
    weight = next(network.parameters())
    image = torch.randn(8, channels, size, size, generator=torch.Generator().manual_seed(1))
    image += torch.linspace(-3, 3, 8)[:, None, None, None]  # dark and bright, that features of both signs come up
    image = image.to(weight)
    trace = Trace(image)
    handles = [handle for name, module in found for handle in trace.watch(name, module)]
    try:
        with modes_kept(network), torch.no_grad():
            result = plain(call(network.eval(), image))
    except (RuntimeError, AssertionError) as error:
        raise Unsupported(
            f"the network does not run on an image of {size} x {size} pixels ({error}); "
            "say with --size which it is for"
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    trace.meet(result, "the output")
    if trace.order is not None:
        raise Unsupported("the output is flattened pixels, which d16 has in another order; a Linear must follow")
    return trace.layers


def load_factory(text):
    """The module that FILE.py:FUNCTION makes; a list or dict of modules runs one after the other."""
    path, _, name = text.rpartition(":")
    if not path or not os.path.exists(path):
        raise Unsupported(f'factory "{text}": it is written FILE.py:FUNCTION, of a file that exists')
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    spec = importlib.util.spec_from_file_location("factory", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return as_module(getattr(module, name)())


def load_state(network, path):
    """Fills in a state_dict, saved in training or in evaluation. Dictionaries inside one another are joined by dots."""

    def flat(prefix, value):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from flat(f"{prefix}{key}.", inner)
        elif isinstance(value, torch.Tensor):
            yield prefix[:-1], value

    state = dict(flat("", torch.load(path, map_location="cpu", weights_only=True)))
    network.train()  # escnn keeps expanded filters in evaluation only; they are made again from the weights
    needed = set(network.state_dict())
    inside = {key.split(".")[0] + "." for key in state} | {""}
    prefix = max(inside, key=lambda p: sum(p + key in state for key in needed))
    state = {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
    expanded = ("filter", "expanded_bias")
    state = {key: value for key, value in state.items() if key in needed or key.split(".")[-1] not in expanded}
    for what, keys in (("no", needed - set(state)), ("unexpected", set(state) - needed)):
        if keys:
            raise Unsupported(
                f"{path}: {what} {', '.join(sorted(keys)[:3])}{' ...' if len(keys) > 3 else ''}; "
                "it is the state of another network"
            )
    network.load_state_dict(state)
    return network.eval()
