"""Golden cases of the networks of nn/networks.hpp and nn/band_network.hpp: the same networks in PyTorch, in evaluation.

Run: python tests/golden/make_classifiers.py   (needs torch, safetensors)
"""

import json
import os

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from case import FOLDER, numbers, save


class Residual(nn.Module):
    """relu(norm2(conv2(relu(norm1(conv1 x)))) + shortcut(x)); halves by a stride or by a maximum at its end."""

    def __init__(self, into, out, kernel, down="none"):
        super().__init__()
        stride = 2 if down == "stride" else 1
        self.conv1 = nn.Conv2d(into, out, kernel, stride, kernel // 2, bias=False)
        self.conv2 = nn.Conv2d(out, out, kernel, 1, kernel // 2, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(out), nn.BatchNorm2d(out)
        if into != out or stride > 1:
            self.shortcut = nn.Conv2d(into, out, 1, stride, bias=False)
            self.shortcut_norm = nn.BatchNorm2d(out)
        self.down = down

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        y = F.relu(y + (self.shortcut_norm(self.shortcut(x)) if hasattr(self, "shortcut") else x))
        return F.max_pool2d(y, 2) if self.down == "max_pool" else y


class DenseBlock(nn.Module):
    class Layer(nn.Module):
        def __init__(self, into, growth, bottleneck):
            super().__init__()
            self.norm1, self.norm2 = nn.BatchNorm2d(into), nn.BatchNorm2d(bottleneck * growth)
            self.conv1 = nn.Conv2d(into, bottleneck * growth, 1, bias=False)
            self.conv2 = nn.Conv2d(bottleneck * growth, growth, 3, padding=1, bias=False)

        def forward(self, x):
            return self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x))))))

    def __init__(self, into, layers, growth, bottleneck):
        super().__init__()
        self.layers = nn.ModuleList(self.Layer(into + i * growth, growth, bottleneck) for i in range(layers))

    def forward(self, x):
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return x


class ChannelAttention(nn.Module):
    def __init__(self, channels, reduction):
        super().__init__()
        hidden = max(1, channels // reduction)
        self.fc1, self.fc2 = nn.Linear(channels, hidden), nn.Linear(hidden, channels)

    def forward(self, x):
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(x.mean((2, 3))))))[:, :, None, None]


class SpatialAttention(nn.Module):
    def __init__(self, kernel=7):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel, padding=kernel // 2)

    def forward(self, x):
        return x * torch.sigmoid(self.conv(torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)))


class Pool(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


class Flatten(nn.Module):
    """As d16 orders them: rows, columns, channels."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


def resnet18(width, channels, classes):
    stages = [nn.Identity(), nn.Conv2d(channels, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    stages += [nn.MaxPool2d(3, 2, 1)]
    described = [
        {"type": "rescale", "mean": 0, "deviation": 1},
        {"type": "conv2d", "in": channels, "out": width, "kernel": 7, "stride": 2, "bias": False},
        {"type": "batch_norm2d", "channels": width},
        {"type": "relu"},
        {"type": "max_pool", "kernel": 3, "stride": 2, "padding": 1},
    ]
    into = width
    for level in range(4):
        for i in range(2):
            out, down = width << level, "stride" if level and not i else "none"
            stages.append(Residual(into, out, 3, down))
            described.append({"type": "spatial_residual_block", "in": into, "out": out, "dropout": 0, "down": down})
            into = out
    described += [{"type": "global_avg_pool"}, {"type": "linear", "in": into, "out": classes}]
    return nn.Sequential(*stages, Pool(), nn.Linear(into, classes)), {"type": "sequential", "stages": described}


def vgg(channels, classes):
    """Two levels, batch norm, adaptive pooling to 3x3, one hidden layer."""
    stages, described, into = [], [], channels
    for width in (4, 6):
        stages += [nn.Conv2d(into, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
        described += [{"type": "conv2d", "in": into, "out": width}, {"type": "batch_norm2d", "channels": width}]
        described += [{"type": "relu"}, {"type": "max_pool"}]
        into = width
    stages += [nn.AdaptiveAvgPool2d(3), Flatten(), nn.Linear(54, 5), nn.ReLU(), nn.Dropout(), nn.Linear(5, classes)]
    described += [{"type": "adaptive_avg_pool", "height": 3, "width": 3}, {"type": "flatten"}]
    described += [{"type": "linear", "in": 54, "out": 5}, {"type": "relu"}, {"type": "dropout"}]
    described += [{"type": "linear", "in": 5, "out": classes}]
    return nn.Sequential(*stages), {"type": "sequential", "stages": described}


def densenet(channels, classes):
    """Two dense blocks with a transition between them, and a group norm at the end."""
    block = {"type": "dense_block", "growth": 3, "bottleneck": 2}
    net = nn.Sequential(
        nn.Conv2d(channels, 4, 3, padding=1, bias=False),
        DenseBlock(4, 2, 3, 2),
        nn.BatchNorm2d(10),
        nn.ReLU(),
        nn.Conv2d(10, 5, 1, bias=False),
        nn.AvgPool2d(2),
        DenseBlock(5, 3, 3, 2),
        nn.GroupNorm(7, 14),
        nn.ReLU(),
        Pool(),
        nn.Linear(14, classes),
    )
    described = [
        {"type": "conv2d", "in": channels, "out": 4, "bias": False},
        block | {"in": 4, "layers": 2},
        {"type": "batch_norm2d", "channels": 10},
        {"type": "relu"},
        {"type": "conv2d", "in": 10, "out": 5, "kernel": 1, "bias": False},
        {"type": "avg_pool"},
        block | {"in": 5, "layers": 3},
        {"type": "group_norm", "groups": 7, "channels": 14},
        {"type": "relu"},
        {"type": "global_avg_pool"},
        {"type": "linear", "in": 14, "out": classes},
    ]
    return net, {"type": "sequential", "stages": described}


class BandNetwork(nn.Module):
    def __init__(self, channels, spectral, spatial, fusion, down, position, hidden, classes):
        super().__init__()
        self.position = position
        into, trunk = channels + (3 if position == "full" else 0), []
        late = spectral if fusion == "late" else spectral[:1]
        for width in late:
            trunk.append(Residual(into, width, 1))
            into = width
        trunk += [ChannelAttention(into, 4), SpatialAttention()]
        for i, width in enumerate(spatial):
            if fusion == "early" and 0 < i < len(spectral):
                trunk.append(Residual(into, spectral[i], 1))
                into = spectral[i]
            trunk.append(Residual(into, width, 3, down))
            into = width
        self.trunk = nn.Sequential(*trunk, Pool())
        self.head = nn.Sequential(
            nn.Linear(into, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(hidden, classes),
        )

    def forward(self, x):
        if self.position == "full":
            n, _, height, width = x.shape
            y = -((torch.arange(height, dtype=x.dtype) * 2 + 1) / height - 1)
            y, column = torch.meshgrid(y, (torch.arange(width, dtype=x.dtype) * 2 + 1) / width - 1, indexing="ij")
            places = torch.stack([torch.hypot(column, y), column, y])
            x = torch.cat([x, places.expand(n, 3, height, width)], 1)
        return self.head(self.trunk(x))


def band_network(**choices):
    net = BandNetwork(7, hidden=6, classes=3, **choices)
    described = {"type": "band_network", "size": 16, "channels": 7, "classes": 3, "spatial_attention": True}
    return net, described | choices | {"hidden": [6]}


def scattered(net, seed):
    """Numbers that training would give: no running mean is 0, no scale is 1."""
    with torch.no_grad():
        for i, (name, tensor) in enumerate(sorted(net.state_dict(keep_vars=True).items())):
            last = name.split(".")[-1]
            if last in ("running_mean", "bias"):
                tensor.copy_(numbers(seed + i, *tensor.shape, low=-0.5, high=0.5))
            elif last == "running_var" or (last == "weight" and tensor.dim() == 1):
                tensor.copy_(numbers(seed + i, *tensor.shape, low=0.5, high=1.5))
            elif last == "weight":
                bound = (3 / tensor[0].numel()) ** 0.5
                tensor.copy_(numbers(seed + i, *tensor.shape, low=-bound, high=bound))
    return net.eval()


def network_case(name, made, x):
    net, described = made
    scattered(net, 7)
    weights = {k: v.contiguous().clone() for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    path = os.path.join(FOLDER, f"network_io_{name}.weights.safetensors")
    save_file(weights, path, {"network": json.dumps(described)})
    with torch.no_grad():
        logits = net.double()(x.double())
    save(f"network_io_{name}", "network_io", {"layers": f"{name} of make_classifiers.py"}, {"x": x}, {"logits": logits})


network_case("resnet18", resnet18(2, 3, 5), numbers(1, 2, 3, 37, 41))
network_case("vgg", vgg(2, 3), numbers(2, 2, 2, 13, 11))
network_case("densenet", densenet(3, 4), numbers(3, 2, 3, 9, 7))
late = {"spectral": [5, 4], "spatial": [3, 6], "fusion": "late", "down": "stride", "position": "none"}
network_case("band_late", band_network(**late), numbers(4, 2, 7, 16, 16, low=-1, high=3))
early = {"spectral": [8, 4], "spatial": [3, 6, 4], "fusion": "early", "down": "max_pool", "position": "full"}
network_case("band_early", band_network(**early), numbers(5, 2, 7, 17, 16, low=-1, high=3))
