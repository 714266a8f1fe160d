#!/usr/bin/env python3
"""Training steps of the three networks by PyTorch and escnn on the GPU, for the table of bench_training.

scripts/gpu_check.sh calls this. Forward, backward and fused AdamW, eagerly, compiled by torch.compile and, where it can be
captured, replayed as one CUDA graph, in float32 and in bfloat16 by autocast. The networks without a group also with their
images in channels_last. --weights prints the number of weights of each network.
"""
import argparse
import sys

from torch_gpu import add_arguments, start

BATCHES = (16, 64, 128)
ORDERS = (16, 32)
STEPS = 10


def networks(torch):
    """Classes of the U-Net VAE and of the seven-band network, as nn/unet_vae.hpp and nn/band_network.hpp have them."""
    nn = torch.nn

    def conv_block(channels_in, channels_out):
        layers = []
        for a, b in ((channels_in, channels_out), (channels_out, channels_out)):
            layers += [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
        return nn.Sequential(*layers)

    class UNetVae(nn.Module):
        def __init__(self, widths=(32, 64, 128, 256), latent=16, channels=3):
            super().__init__()
            self.down = nn.ModuleList(conv_block(a, b) for a, b in zip((channels,) + widths[:-2], widths[:-1]))
            self.bottom = conv_block(widths[-2], widths[-1])
            self.mu, self.logvar = (nn.Conv2d(widths[-1], latent, 1) for _ in range(2))
            self.from_latent = nn.Conv2d(latent, widths[-1], 1)
            pairs = list(zip(widths[:0:-1], widths[-2::-1]))
            self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in pairs)
            self.merge = nn.ModuleList(conv_block(2 * b, b) for _, b in pairs)
            self.last = nn.Conv2d(widths[0], channels, 1)

        def forward(self, x):
            levels = []
            for block in self.down:
                levels.append(block(x))
                x = nn.functional.max_pool2d(levels[-1], 2)
            x = self.bottom(x)
            mu, logvar = self.mu(x), self.logvar(x).clamp(-10, 10)
            x = self.from_latent(mu + (logvar / 2).exp() * torch.randn_like(mu)).relu()
            for up, merge, level in zip(self.up, self.merge, reversed(levels)):
                x = merge(torch.cat([up(x).relu(), level], 1))
            return self.last(x), mu, logvar

    class Residual(nn.Module):
        def __init__(self, channels_in, channels_out, kernel, stride, drop):
            super().__init__()
            self.conv1 = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False)
            self.conv2 = nn.Conv2d(channels_out, channels_out, kernel, 1, kernel // 2, bias=False)
            self.norm1, self.norm2 = nn.BatchNorm2d(channels_out), nn.BatchNorm2d(channels_out)
            same = channels_in == channels_out and stride == 1
            way = [nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out)]
            self.shortcut = nn.Identity() if same else nn.Sequential(*way)
            self.drop = drop

        def forward(self, x):
            y = self.drop(self.norm1(self.conv1(x)).relu())
            return (self.norm2(self.conv2(y)) + self.shortcut(x)).relu()

    class BandNetwork(nn.Module):
        def __init__(self, bands=7, spectral=(16, 16), spatial=(16, 32, 64), hidden=32, classes=3):
            super().__init__()
            sizes = (2 * bands,) + spectral
            self.spectral = nn.Sequential(*(Residual(a, b, 1, 1, nn.Dropout(0.1)) for a, b in zip(sizes, sizes[1:])))
            last = spectral[-1]
            self.squeeze, self.excite = nn.Linear(last, last // 4), nn.Linear(last // 4, last)
            sizes = (last,) + spatial
            self.spatial = nn.Sequential(*(Residual(a, b, 3, 2, nn.Dropout2d(0.1)) for a, b in zip(sizes, sizes[1:])))
            self.head = nn.Sequential(nn.Linear(spatial[-1], hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(),
                                      nn.Dropout(0.2), nn.Linear(hidden, classes))

        def forward(self, x):
            x = self.spectral(torch.cat([x, torch.ones_like(x)], 1))
            gates = self.excite(self.squeeze(x.mean((2, 3))).relu()).sigmoid()
            return self.head(self.spatial(x * gates[:, :, None, None]).mean((2, 3)))

    return UNetVae, BandNetwork


def vae_loss(torch, result, target):
    logits, mu, logvar = result
    likely = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
    return likely - 0.005 * (1 + logvar - mu.square() - logvar.exp()).sum() / target.numel()


def cases(machine):
    """(name, program, network, loss, batch), made when they are asked for."""
    torch, small = machine.torch, machine.small
    entropy, random = torch.nn.functional.cross_entropy, lambda *sizes: torch.rand(*sizes, device=machine.device)
    labels = lambda batch, classes: torch.arange(batch, device=machine.device) % classes
    unet_vae, band_network = networks(torch)
    side, pixels, widths = (63, 32, (4, 8)) if small else (255, 256, (32, 64, 128, 256))
    for batch in (2,) if small else BATCHES:
        for order in (4,) if small else ORDERS:

            def classifier(order=order):
                from peer_escnn import Classifier
                return Classifier(order, side)

            yield (f"classifier of order {order}, batch {batch}", "PyTorch + escnn", classifier, entropy,
                   lambda batch=batch: (random(batch, 3, side, side), labels(batch, 10)))
        yield (f"U-Net VAE, batch {batch}", "PyTorch", lambda: unet_vae(widths), lambda y, t: vae_loss(torch, y, t),
               lambda batch=batch: (random(batch, 3, pixels, pixels), random(batch, 3, pixels, pixels)))
        yield (f"seven bands, batch {batch}", "PyTorch", band_network, entropy,
               lambda batch=batch: (random(batch, 7, 64, 64), labels(batch, 3)))


def training_step(machine, network, loss, batch, number, how):
    torch, gpu = machine.torch, not machine.small
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-4, fused=gpu, capturable=gpu)
    images, target = batch
    forward = machine.compiled(network) if how == "compiled" else network

    def step():
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(machine.device, torch.bfloat16, enabled=number == "bf16"):
            value = loss(forward(images), target)
        value.backward()
        optimiser.step()

    return machine.graph_of(step) if how == "graph" else step


def time_step(machine, make, loss, make_batch, number, layout, how):
    torch = machine.torch
    network, (images, target) = make().to(machine.device), make_batch()
    if layout == "NHWC":
        network, images = network.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    step = training_step(machine, network, loss, (images, target), number, how)
    for _ in range(1 if machine.small else 3):
        step()
    us = machine.median_us(1 if machine.small else STEPS, lambda i: step())
    return {"us": us, "images/s": 1e6 * len(images) / us}


def print_weights(torch):
    from peer_escnn import Classifier
    unet_vae, band_network = networks(torch)
    for name, network in (("U-Net VAE", unet_vae()), ("seven bands", band_network()),
                          ("classifier of order 16", Classifier(16, 255))):
        print(name, sum(p.numel() for p in network.parameters()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_arguments(parser)
    parser.add_argument("--weights", action="store_true")
    options = parser.parse_args()
    if options.weights:
        import torch
        return print_weights(torch)
    machine, results = start(options)
    if not machine:
        return 0
    for name, program, make, loss, make_batch in cases(machine):
        layouts = ("NCHW",) if program != "PyTorch" else ("NHWC", "NCHW")  # escnn makes its own
        for number in ("float32", "bf16"):
            for layout in layouts:
                for how in ("eager", "graph", "compiled"):
                    if how == "compiled" and program != "PyTorch":
                        continue  # its own classes of tensors cannot be traced
                    who = program if len(layouts) == 1 else f"{program}, {layout}"
                    results.attempt(f"training step/{name}/{number}/{who}, {how}",
                                    lambda: time_step(machine, make, loss, make_batch, number, layout, how))
    return int(machine.small and results.failures > 0)


if __name__ == "__main__":
    sys.exit(main())
