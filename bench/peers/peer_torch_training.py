#!/usr/bin/env python3
"""Training steps of the three networks by PyTorch and escnn on the GPU, for the table of bench_training.

scripts/gpu_check.sh calls this. Forward, backward and fused AdamW, eagerly and, where it can be captured, replayed as one
CUDA graph, in float32 and in bfloat16 by autocast. Results go to --out in the format of Google Benchmark, each as soon as
it is there; what the file has already is not measured again. --weights prints the number of weights of each network.
"""
import argparse
import pathlib
import statistics
import sys

BATCHES = (16, 64, 128)
ORDERS = (16, 32)
STEPS, PAIRS = 10, 5


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


def cases(torch):
    """(name, program, network, loss, batch), made when they are asked for."""
    entropy, random = torch.nn.functional.cross_entropy, lambda *sizes: torch.rand(*sizes, device="cuda")
    labels = lambda batch, classes: torch.arange(batch, device="cuda") % classes
    unet_vae, band_network = networks(torch)
    for batch in BATCHES:
        for order in ORDERS:

            def classifier(order=order):
                from peer_escnn import Classifier
                return Classifier(order, 255)

            yield (f"classifier of order {order}, batch {batch}", "PyTorch + escnn", classifier, entropy,
                   lambda batch=batch: (random(batch, 3, 255, 255), labels(batch, 10)))
        yield (f"U-Net VAE, batch {batch}", "PyTorch", unet_vae, lambda y, t: vae_loss(torch, y, t),
               lambda batch=batch: (random(batch, 3, 256, 256), random(batch, 3, 256, 256)))
        yield (f"seven bands, batch {batch}", "PyTorch", band_network, entropy,
               lambda batch=batch: (random(batch, 7, 64, 64), labels(batch, 3)))


def training_step(torch, network, loss, batch, number):
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-4, fused=True, capturable=True)
    images, target = batch

    def step():
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16, enabled=number == "bf16"):
            value = loss(network(images), target)
        value.backward()
        optimiser.step()

    return step


def graph_of(torch, step):
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def time_step(torch, milliseconds, step):
    for _ in range(3):
        step()
    torch.cuda.synchronize()
    return statistics.median(1e3 * milliseconds(torch, STEPS, lambda i: step()) / STEPS for _ in range(PAIRS))


def print_weights(torch):
    from peer_escnn import Classifier
    unet_vae, band_network = networks(torch)
    for name, network in (("U-Net VAE", unet_vae()), ("seven bands", band_network()),
                          ("classifier of order 16", Classifier(16, 255))):
        print(name, sum(p.numel() for p in network.parameters()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, help="the file of results; without it they are only printed")
    parser.add_argument("--weights", action="store_true")
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        print("skipped: there is no PyTorch")
        return
    if options.weights:
        return print_weights(torch)
    if not torch.cuda.is_available():
        print("skipped: no CUDA device")
        return
    from peer_torch_gpu import Results, attempt, milliseconds

    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    results = Results(options.out, {"PyTorch": torch.__version__})
    for name, program, make, loss, make_batch in cases(torch):
        for number in ("float32", "bf16"):
            for how in ("eager", "graph"):

                def run():
                    step = training_step(torch, make().cuda(), loss, make_batch(), number)
                    us = time_step(torch, milliseconds, graph_of(torch, step) if how == "graph" else step)
                    results.add(full, us=us, error=float("nan"))

                full = f"training step/{name}/{number}/{program}, {how}"
                attempt(torch, results, full, run)


if __name__ == "__main__":
    sys.exit(main())
