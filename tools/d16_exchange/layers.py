"""The layers that escnn and d16 have in common: their descriptions, and the way of the weights there and back."""

import escnn
import numpy as np
import torch
from escnn import nn as enn
from escnn.group import _numerical

from . import steerable

TOLERANCE = 1e-5  # share of a filter that may be left over; true steerable filters in float32 leave about 2e-7

# escnn 1.0.11 hands np.matrix to scikit-learn, which takes arrays only.
_svd = _numerical.randomized_svd
_numerical.randomized_svd = lambda matrix, *args, **options: _svd(np.asarray(matrix), *args, **options)


class Unsupported(Exception):
    """A layer, or something between layers, that the other library does not have; the message names it."""


class Rescale(torch.nn.Module):
    """(x - mean) / deviation, as d16 networks begin. For modules made to take weights of d16."""

    def __init__(self, mean, deviation):
        super().__init__()
        self.mean, self.deviation = mean, deviation

    def forward(self, x):
        return (x - self.mean) / self.deviation


def plain(x):
    """The tensor inside a GeometricTensor."""
    return x.tensor if isinstance(x, enn.GeometricTensor) else x


def source():
    return f"escnn {escnn.__version__}, torch {torch.__version__}"


def array(tensor):
    return tensor.detach().cpu().numpy().astype(np.float64)


def put(tensor, values):
    with torch.no_grad():
        tensor.copy_(torch.as_tensor(values))


class Layer:
    """A layer, the d16 stages that compute the same (descriptions for nn::build), and the way of its weights."""

    gives = None  # what its output is: "features" of a group, an "image", a "vector"; None: what its input was

    def __init__(self, name, module):
        self.name, self.module = name, module
        self.order = None  # torch's index of each entry of the vector that comes in, when d16 has them in another order
        self.misfit = None  # of a filter, once weights went through

    def __str__(self):
        return f"layer {self.name or '0'} ({type(self.module).__name__})"

    def refuse(self, why):
        raise Unsupported(f"{self}: {why}")

    def need(self, condition, why):
        if not condition:
            self.refuse(why)

    def number(self, key):
        """An attribute of one number, or of two that are the same."""
        value = getattr(self.module, key)
        if isinstance(value, (tuple, list)):
            self.need(len(set(value)) == 1, f"{key} is {value}; d16 takes one number for both axes")
            value = value[0]
        return value

    def stages(self):
        """The last one has the weights."""
        raise NotImplementedError

    def read(self):
        """Weights by their names in d16, float64."""
        return {}

    def write(self, weights):
        """The opposite of read."""

    def check_fit(self, misfit):
        self.misfit = float(misfit)
        self.need(
            misfit <= TOLERANCE,
            f"{misfit:.2g} of the filter does not fit, tolerance {TOLERANCE:g}; the basis of the other side is another",
        )

    def fields(self, field_type):
        """(kind, number of fields): kind is "regular" or "trivial", the same for all fields."""
        kinds = {
            r.name if r.name == "regular" else "trivial" if r.is_trivial() else r.name
            for r in field_type.representations
        }
        self.need(
            len(kinds) == 1 and kinds <= {"regular", "trivial"},
            f"its fields are {', '.join(sorted(kinds))}; d16 has all regular or all trivial",
        )
        return kinds.pop(), len(field_type)

    def group(self, space):
        """The d16 group whose elements act on the plane as those of the space, in the same order."""
        elements = space.fibergroup.elements
        action = np.array([space.basespace_action(g) for g in elements]).reshape(-1, 2, 2)
        for group in (steerable.Group("cyclic", len(elements)), steerable.Group("dihedral", len(elements) // 2)):
            if group.order == len(elements) and np.allclose(action, group.matrices(), atol=1e-6):
                return group
        self.refuse(
            f"the group is {space}; d16 has rot2dOnR2(n), flipRot2dOnR2(n) and flip2dOnR2() with the vertical flip axis"
        )


class Convolution(Layer):
    """R2Conv. The dense filter is the common language: each side solves for the coefficients of its own basis."""

    def __init__(self, name, module):
        super().__init__(name, module)
        m = module
        self.acting = self.group(m.in_type.gspace)
        (kind_in, self.Ci), (kind_out, self.Co) = self.fields(m.in_type), self.fields(m.out_type)
        self.need(
            kind_in == "regular" or kind_out == "regular", "trivial to trivial fields; d16 needs features on one side"
        )
        self.sides = "regular" if kind_in == kind_out else "lifting" if kind_out == "regular" else "projecting"
        self.gives = "image" if self.sides == "projecting" else "features"
        self.need(m.kernel_size % 2 == 1, f"kernel is {m.kernel_size}; d16 needs an odd one")
        self.need(m.groups == 1, f"groups is {m.groups}; d16 connects all fields")
        self.need(
            self.number("dilation") == 1,
            f"dilation is {m.dilation}; escnn then samples its basis farther out, d16 spreads the same filter",
        )
        modes = ("zeros", "circular", "reflect")
        self.need(m.padding_mode in modes, f"padding_mode is {m.padding_mode}; d16 has {', '.join(modes)}")

    def stages(self):
        kind = {"lifting": "lift_conv2d", "regular": "group_conv2d", "projecting": "project_conv2d"}[self.sides]
        return [
            {
                "type": kind,
                "group": str(self.acting),
                "in": self.Ci,
                "out": self.Co,
                "kernel": self.module.kernel_size,
                "stride": self.number("stride"),
                "padding": self.number("padding"),
                "bias": self.module.bias is not None,
            }
            | ({"padding_mode": self.module.padding_mode} if self.module.padding_mode != "zeros" else {})
        ]

    def read(self):
        with torch.no_grad():
            filter, bias = self.module.expand_parameters()
        weights, misfit = steerable.fit(filter.detach().cpu().numpy(), self.acting, self.sides)
        self.check_fit(misfit)
        if bias is None:
            return {"weight": weights}
        bias = array(bias).reshape(self.Co, -1)
        self.need(np.ptp(bias, 1).max() <= TOLERANCE * np.abs(bias).max(), "the bias differs within a field")
        return {"weight": weights, "bias": bias.mean(1)}

    def write(self, weights):
        filter = steerable.expand(weights["weight"], self.acting, self.module.kernel_size, self.sides)
        (block,) = [m for m in self.module.basisexpansion.modules() if hasattr(m, "sampled_basis")]
        functions, gout, gin, _ = block.sampled_basis.shape
        inverse = np.linalg.pinv(array(block.sampled_basis).reshape(functions, -1).T, rcond=1e-6).T
        pairs = filter.reshape(self.Co, gout, self.Ci, gin, -1).swapaxes(1, 2)
        put(self.module.weights, np.concatenate([(pair.reshape(self.Ci, -1) @ inverse).ravel() for pair in pairs]))
        with torch.no_grad():
            got = array(self.module.expand_parameters()[0])
        size = np.linalg.norm(filter)
        self.check_fit(np.linalg.norm(filter - got) / size if size else 0.0)
        if self.module.bias is not None:
            scale = array(self.module.bias_expansion.sum(0)) / gout  # the value that a field has for a bias of 1
            put(self.module.bias, weights["bias"] / scale)


class Normalisation(Layer):
    """InnerBatchNorm, and the batch norms of torch: weight, bias and the running statistics."""

    names = ("weight", "bias", "running_mean", "running_var")

    def norm(self):
        return self.module

    def kind(self):
        return {torch.nn.BatchNorm1d: "batch_norm1d", torch.nn.BatchNorm2d: "batch_norm2d"}[type(self.module)]

    def stages(self):
        norm = self.norm()
        self.need(norm.affine and norm.track_running_stats, "affine and track_running_stats are needed")
        self.need(norm.momentum is not None, "momentum is None; d16 needs a number")
        return [{"type": self.kind(), "channels": norm.num_features, "eps": norm.eps, "momentum": norm.momentum}]

    def read(self):
        values = {name: array(getattr(self.norm(), name)) for name in self.names}
        return values if self.order is None else {name: value[self.order] for name, value in values.items()}

    def write(self, weights):
        for name in self.names:
            value = weights[name]
            put(getattr(self.norm(), name), value if self.order is None else value[np.argsort(self.order)])


class InnerNormalisation(Normalisation):
    def norm(self):
        norms = [m for m in self.module.children()]
        self.need(len(norms) == 1, "its fields have several sizes; d16 has one")
        return norms[0]

    def kind(self):
        return "inner_batch_norm" if self.fields(self.module.in_type)[0] == "regular" else "batch_norm2d"


class Linear(Layer):
    gives = "vector"

    def stages(self):
        m = self.module
        return [{"type": "linear", "in": m.in_features, "out": m.out_features, "bias": m.bias is not None}]

    def read(self):
        weight = array(self.module.weight)
        weights = {"weight": weight if self.order is None else weight[:, self.order]}
        return weights if self.module.bias is None else weights | {"bias": array(self.module.bias)}

    def write(self, weights):
        weight = weights["weight"]
        put(self.module.weight, weight if self.order is None else weight[:, np.argsort(self.order)])
        if self.module.bias is not None:
            put(self.module.bias, weights["bias"])


class Function(Layer):
    """A layer without weights."""

    def stages(self):
        m, kind = self.module, type(self.module)
        if kind in (enn.ReLU, torch.nn.ReLU):
            return [{"type": "relu"}]
        if kind in (enn.ELU, torch.nn.ELU):
            return [{"type": "elu", "alpha": float(m.alpha)}]
        if kind in (enn.PointwiseDropout, torch.nn.Dropout):
            return [{"type": "dropout", "p": float(m.p)}]
        if kind is Rescale:
            return [{"type": "rescale", "mean": float(m.mean), "deviation": float(m.deviation)}]
        return []  # an identity


class Pooling(Layer):
    """Maxima and means of windows."""

    def stages(self):
        m = self.module
        self.need(not m.ceil_mode, "ceil_mode; d16 rounds sizes down")
        window = {
            "kernel": self.number("kernel_size"),
            "stride": self.number("stride"),
            "padding": self.number("padding"),
        }
        if hasattr(m, "dilation"):
            self.need(self.number("dilation") == 1, f"dilation is {m.dilation}; d16 pools without")
            return [{"type": "max_pool"} | window]
        self.need(getattr(m, "divisor_override", None) is None, "divisor_override; d16 divides by the number of pixels")
        return [{"type": "avg_pool"} | window | {"count_include_pad": getattr(m, "count_include_pad", True)}]


class Blur(Layer):
    """Antialiased pooling. escnn keeps the Gaussian but not its width: that is read off, and the Gaussian compared."""

    def blur(self, padding):
        window = array(self.module.filter)[0, 0]
        size, axis = len(window), np.arange(len(window)) - len(window) // 2
        sigma = 1.0
        if size > 1:
            sigma = float(round(np.sqrt(-0.5 / np.log(window[size // 2, size // 2 + 1] / window.max())), 6))
        gauss = np.exp(-0.5 * (axis / sigma) ** 2)
        self.need(
            np.allclose(window, np.outer(gauss, gauss) / gauss.sum() ** 2, atol=TOLERANCE),
            "its window is not a Gaussian",
        )
        return {
            "type": "blur_pool",
            "sigma": sigma,
            "kernel": size,
            "stride": self.number("stride"),
            "padding": padding,
        }

    def stages(self):
        return [self.blur(self.number("padding"))]


class MaximumBlur(Blur):
    """The maximum of each window at full resolution, then blurred and thinned out."""

    def stages(self):
        self.need(not self.module.ceil_mode, "ceil_mode; d16 rounds sizes down")
        maximum = {
            "type": "max_pool",
            "kernel": self.number("kernel_size"),
            "stride": 1,
            "padding": self.number("padding"),
        }
        return [maximum, self.blur(self.number("_pad"))]


class Mask(Layer):
    """MaskModule. escnn keeps the mask but not its sigma: that is read off beyond the rim, and the mask compared."""

    def stages(self):
        mask, margin = array(self.module.mask)[0, 0], float(self.module.margin)
        axis = np.arange(self.module.S) - (self.module.S - 1) / 2
        inner = ((self.module.S - 1) / 2 * (1 - margin / 100)) ** 2
        beyond = np.maximum(np.add.outer(axis**2, axis**2) - inner, 0)
        fading = (beyond > 0) & (mask > 1e-3) & (mask < 1)
        sigma = float(round(np.sqrt(np.median(-beyond[fading] / np.log(mask[fading]))), 4)) if fading.any() else 2.0
        self.need(
            np.allclose(mask, np.exp(-beyond / sigma**2), atol=TOLERANCE), "its mask is not the disk that it should be"
        )
        return [{"type": "disk_mask", "margin": margin, "sigma": sigma}]


class GroupMaximum(Layer):
    gives = "image"

    def stages(self):
        self.need(
            self.fields(self.module.in_type)[0] == "regular", "its fields are trivial; there is nothing to pool over"
        )
        return [{"type": "group_max_pool"}]


class SpatialMean(Layer):
    gives = "vector"

    def stages(self):
        size = getattr(self.module, "output_size")
        self.need(size in (1, (1, 1), [1, 1]), f"output_size is {size}; d16 has the mean of the whole image only")
        return [{"type": "global_avg_pool"}]


class Flattening(Layer):
    gives = "vector"

    def stages(self):
        self.need((self.module.start_dim, self.module.end_dim) == (1, -1), "start_dim, end_dim must be 1, -1")
        return [{"type": "flatten"}]


class Between(Layer):
    """What the forward pass itself does between two layers."""

    def __init__(self, name, stage):
        super().__init__(name, None)
        self.stage = stage
        self.gives = "vector" if stage["type"] in ("flatten", "global_avg_pool") else None

    def __str__(self):
        return f"{self.stage['type']} before {self.name}"

    def stages(self):
        return [self.stage]


LAYERS = {
    enn.R2Conv: Convolution,
    enn.InnerBatchNorm: InnerNormalisation,
    enn.ReLU: Function,
    enn.ELU: Function,
    enn.PointwiseDropout: Function,
    enn.IdentityModule: Function,
    enn.PointwiseMaxPool: Pooling,
    enn.PointwiseAvgPool: Pooling,
    enn.PointwiseAvgPoolAntialiased: Blur,
    enn.PointwiseMaxPoolAntialiased: MaximumBlur,
    enn.PointwiseAdaptiveAvgPool: SpatialMean,
    enn.GroupPooling: GroupMaximum,
    enn.MaskModule: Mask,
    torch.nn.Linear: Linear,
    torch.nn.BatchNorm1d: Normalisation,
    torch.nn.BatchNorm2d: Normalisation,
    torch.nn.ReLU: Function,
    torch.nn.ELU: Function,
    torch.nn.Dropout: Function,
    torch.nn.Identity: Function,
    torch.nn.MaxPool2d: Pooling,
    torch.nn.AvgPool2d: Pooling,
    torch.nn.AdaptiveAvgPool2d: SpatialMean,
    torch.nn.Flatten: Flattening,
    Rescale: Function,
}
