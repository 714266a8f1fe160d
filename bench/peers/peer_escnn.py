"""escnn in the comparison: a layer with its filter cached and in training, and the whole classifier."""
import copy
import resource
import warnings

import escnn
import numpy as np
import torch
import torch.nn.functional as F
from escnn import gspaces
from escnn import nn as enn
from escnn.group import _numerical

from protocol import relative_error, serve

warnings.filterwarnings("ignore")

# escnn 1.0.11 hands np.matrix to scikit-learn, which takes arrays only.
svd = _numerical.randomized_svd
_numerical.randomized_svd = lambda matrix, *args, **options: svd(np.asarray(matrix), *args, **options)

WIDTHS = [12, 24, 48, 48, 48, 48, 96, 96, 96, 112, 192]
POOL_AFTER = [2, 4, 7, 9, 11]


def regular(space, fields):
    return enn.FieldType(space, fields * [space.regular_repr])


def convolution(type_in, type_out, stride=1, padding=1):
    """Without escnn's own first values, which take minutes for wide layers; the variance is that of He et al. 2015."""
    layer = enn.R2Conv(type_in, type_out, 3, stride=stride, padding=padding, bias=False, initialize=False)
    with torch.no_grad():
        layer.weights.normal_(0, (2 * len(type_out) / layer.weights.numel()) ** 0.5)
    return layer


class Classifier(torch.nn.Module):
    """Pandya et al. 2023, arXiv:2311.01500, for 10 classes."""

    def __init__(self, order, size):
        super().__init__()
        space = gspaces.flipRot2dOnR2(order // 2)
        self.type_in = before = enn.FieldType(space, 3 * [space.trivial_repr])
        stages, side = [enn.MaskModule(before, size, margin=1, sigma=2)], size
        for i, width in enumerate(WIDTHS):
            after, stride, padding = regular(space, width), 1 + (i == 0), 1 + (i == 0)
            stages += [convolution(before, after, stride, padding), enn.InnerBatchNorm(after)]
            stages.append(enn.ReLU(after, inplace=True))
            side = (side + 2 * padding - 3) // stride + 1
            if i + 1 in POOL_AFTER:
                stages.append(enn.PointwiseAvgPoolAntialiased2D(after, sigma=0.66, stride=2, padding=2))
                side = (side + 4 - 5) // 2 + 1
            before = after
        stages.append(enn.GroupPooling(before))
        self.stages = enn.SequentialModule(*stages)
        layers, features = [], side * side * WIDTHS[-1]
        for width in (64, 32):
            layers += [torch.nn.Linear(features, width), torch.nn.BatchNorm1d(width), torch.nn.ELU()]
            features = width
        self.head = torch.nn.Sequential(*layers, torch.nn.Linear(features, 10))

    def forward(self, x):
        features = self.stages(enn.GeometricTensor(x, self.type_in)).tensor.flatten(1)
        return self.head(features.to(x.dtype))  # GroupPooling makes float32 of float64


def layer(request):
    space = gspaces.flipRot2dOnR2(request["order"] // 2)
    conv = convolution(regular(space, request["in"]), regular(space, request["out"]))
    size, batch = request["size"], request["batch"]
    x = torch.empty(batch, conv.in_type.size, size, size).uniform_(-1, 1)
    with torch.no_grad():  # the cached filter is else a part of the graph
        conv.eval()
    exact = F.conv2d(x[:1].double(), conv.filter[: request["order"]].double(), padding=1)
    if request["op"] == "forward":
        run = torch.no_grad()(lambda: conv(enn.GeometricTensor(x, conv.in_type)).tensor)
    else:
        conv.train()
        dy = torch.empty(batch, conv.out_type.size, size, size).uniform_(-1, 1)

        def run():
            conv.weights.grad = None
            y = conv(enn.GeometricTensor(x.detach().requires_grad_(), conv.in_type)).tensor
            y.backward(dy)
            return y

    return run, relative_error(run()[:1, : request["order"]].detach(), exact), None


@torch.no_grad()
def evaluation(request):
    net = Classifier(request["order"], request["size"]).eval()
    x = torch.rand(request["batch"], 3, request["size"], request["size"])
    return torch.no_grad()(lambda: net(x)), relative_error(net(x), copy.deepcopy(net).double()(x.double())), None


def peak_memory():
    return {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024e-6}


def available_memory():
    with open("/proc/meminfo") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))


def training_step(request):
    """A step that needs more memory than there is fails alone, with a reason, and not the machine."""
    resource.setrlimit(resource.RLIMIT_DATA, (int(0.95 * available_memory()), resource.RLIM_INFINITY))
    net = Classifier(request["order"], request["size"])
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=1e-4)
    x, labels = torch.rand(request["batch"], 3, request["size"], request["size"]), torch.arange(request["batch"]) % 10

    def run():
        optimiser.zero_grad()
        F.cross_entropy(net(x), labels).backward()
        optimiser.step()

    run()
    return run, None, peak_memory


def prepare(request):
    torch.set_num_threads(request["threads"])
    torch.manual_seed(1)
    makers = {"classifier": evaluation, "training_step": training_step}
    return makers.get(request["op"], layer)(request)


if __name__ == "__main__":
    serve({"peer": "escnn", "version": f"{escnn.__version__} on torch {torch.__version__}"}, prepare)
