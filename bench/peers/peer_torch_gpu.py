#!/usr/bin/env python3
"""PyTorch and escnn on the GPU, on the shapes of bench_cuda: the dense convolution of the expanded filter, and R2Conv.

scripts/gpu_check.sh calls this. PyTorch's convolution runs in both memory layouts, eagerly, replayed as a CUDA graph, and
compiled by torch.compile; cudnn.benchmark lets it choose among cuDNN's engines. escnn runs with its filter expanded once
(eval) and in training. Results go to --out in the format of Google Benchmark, each as soon as it is there; what the file
has already is not measured again.
"""
import argparse
import json
import pathlib
import statistics
import sys
import warnings

BATCH = 64
SHAPES = [(12, 24, 64), (24, 48, 32), (48, 48, 32), (48, 96, 16), (96, 96, 16)]  # fields in and out, side of the image
DENSE = [(32, 32, 64), (64, 64, 64), (128, 128, 32), (256, 256, 16)]  # channels in and out, side, 3 x 3
NUMBERS = ["float32", "tf32", "bf16"]
FEW = 8  # channels of the first image that are checked against float64
PAIRS = 5  # of events for each time
PERCENT_OF_CACHE = 300  # that operands fill together when none is to be found in the cache

warnings.filterwarnings("ignore")


class Results:
    """The file of results, complete after every one."""

    def __init__(self, path, context):
        self.path, self.context, self.benchmarks = path, context, []
        if path and path.exists():
            self.benchmarks = json.loads(path.read_text())["benchmarks"]

    def has(self, name):
        return any(b["name"] == name for b in self.benchmarks)

    def add(self, name, **members):
        self.benchmarks.append({"name": name, "run_name": name, **members})
        print(f"{name}: {members.get('error_message') or '%.1f us, error %.1e' % (members['us'], members['error'])}", flush=True)
        if self.path:
            self.path.write_text(json.dumps({"context": self.context, "benchmarks": self.benchmarks}, indent=2, ensure_ascii=False))


def milliseconds(torch, launches, run):
    start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for i in range(launches):
        run(i)
    stop.record()
    stop.synchronize()
    return start.elapsed_time(stop)


def times(torch, run, copies):
    """Medians in microseconds: the same operands again and again, and operands that take turns."""
    for i in range(copies):
        run(i)
    launches = int(min(100, max(10, 1 / max(milliseconds(torch, 1, lambda i: run(0)), 1e-3))))
    warm = [1e3 * milliseconds(torch, launches, lambda i: run(0)) / launches for _ in range(PAIRS)]
    cold = [1e3 * milliseconds(torch, launches, lambda i: run(i % copies)) / launches for _ in range(PAIRS)]
    return statistics.median(warm), statistics.median(cold)


def relative_error(got, expected):
    return ((got.double() - expected).abs().max() / expected.abs().max()).item()


def copies_for(torch, size):
    return int(min(16, -(-PERCENT_OF_CACHE * torch.cuda.get_device_properties(0).L2_cache_size // (100 * size)))) + 1


def random(torch, shape, number, layout):
    kind = torch.bfloat16 if number == "bf16" else torch.float32
    x = torch.empty(shape, device="cuda").uniform_(-1, 1).to(kind)
    return x.contiguous(memory_format=layout) if len(shape) == 4 else x


def graph_of(torch, run):
    """A function that replays run() recorded as a CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = run()
    return graph.replay, result


def run_of(torch, how, x, w):
    convolve = torch.nn.functional.conv2d
    if how == "compiled":
        compiled = torch.compile(lambda a, b: convolve(a, b, padding=1), dynamic=False)
        return lambda i: compiled(x[i], w[i])
    if how == "graph":
        replays = [graph_of(torch, lambda a=a, b=b: convolve(a, b, padding=1)) for a, b in zip(x, w)]

        def replay(i):
            replays[i][0]()
            return replays[i][1]

        return replay
    return lambda i: convolve(x[i], w[i], padding=1)


def flops_of(batch, size, channels_in, channels_out):
    return 2 * 9 * batch * size * size * channels_in * channels_out


def rates(us, flops, own_flops, size):
    return {"GB/s": size / us / 1e3, "GFLOP/s": own_flops / us / 1e3, "dense_GFLOP/s": flops / us / 1e3}


def convolution(torch, results, name, sizes, number, layout_name, how):
    channels_in, channels_out, size = sizes
    layout = torch.channels_last if layout_name == "NHWC" else torch.contiguous_format
    shape_x, shape_w = (BATCH, channels_in, size, size), (channels_out, channels_in, 3, 3)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = number == "tf32"
    bytes_of = 2 if number == "bf16" else 4
    size_of_all = bytes_of * (BATCH * size * size * (channels_in + channels_out) + 9 * channels_in * channels_out)
    copies = copies_for(torch, size_of_all)
    x = [random(torch, shape_x, number, layout) for _ in range(copies)]
    w = [random(torch, shape_w, number, layout) for _ in range(copies)]
    run = run_of(torch, how, x, w)
    expected = torch.nn.functional.conv2d(x[0][:1].double(), w[0][:FEW].double(), padding=1)
    error = relative_error(run(0)[:1, :FEW], expected)
    warm, cold = times(torch, run, copies)
    flops = flops_of(BATCH, size, channels_in, channels_out)
    results.add(name, us=warm, cold_us=cold, error=error, **rates(warm, flops, flops, size_of_all))


def equivariant(torch, results, name, fields, order, training):
    import numpy
    from escnn import gspaces
    from escnn import nn as enn
    from escnn.group import _numerical

    # escnn 1.0.11 hands np.matrix to scikit-learn, which takes arrays only.
    if not hasattr(_numerical, "d16_svd"):
        _numerical.d16_svd = _numerical.randomized_svd
        _numerical.randomized_svd = lambda matrix, *args, **options: _numerical.d16_svd(numpy.asarray(matrix), *args, **options)
    fields_in, fields_out, size = fields
    space = gspaces.flipRot2dOnR2(order // 2)
    kind_in, kind_out = (enn.FieldType(space, n * [space.regular_repr]) for n in (fields_in, fields_out))
    layer = enn.R2Conv(kind_in, kind_out, 3, padding=1, bias=False, initialize=False).cuda()
    with torch.no_grad():
        layer.weights.normal_(0, (2 * fields_out / layer.weights.numel()) ** 0.5)
        layer.eval()
    x = [enn.GeometricTensor(random(torch, (BATCH, kind_in.size, size, size), "float32", torch.contiguous_format), kind_in)]
    torch.backends.cudnn.allow_tf32 = False
    expected = torch.nn.functional.conv2d(x[0].tensor[:1].double(), layer.filter[:order].double(), padding=1)
    if training:
        layer.train()
        dy = random(torch, (BATCH, kind_out.size, size, size), "float32", torch.contiguous_format)

        def run(i):
            layer.weights.grad = None
            y = layer(enn.GeometricTensor(x[0].tensor.detach().requires_grad_(), kind_in)).tensor
            y.backward(dy)
            return y
    else:
        run = torch.no_grad()(lambda i: layer(x[0]).tensor)
    error = relative_error(run(0)[:1, :order].detach(), expected)
    warm, _ = times(torch, run, 1)
    flops = flops_of(BATCH, size, kind_in.size, kind_out.size) * (3 if training else 1)
    size_of_all = 4 * BATCH * size * size * (kind_in.size + kind_out.size)
    results.add(name, us=warm, error=error, **rates(warm, flops, flops, size_of_all))


def attempt(torch, results, name, run):
    if results.has(name):
        return
    try:
        run()
    except Exception as problem:  # whatever a peer cannot do is a line of the table, and the others go on
        message = str(problem).strip().split("\n")[0] or type(problem).__name__
        results.add(name, error_occurred=True, error_message=f"skipped: {message}")
    torch._dynamo.reset()
    torch.cuda.empty_cache()


def case_of(sizes, order):
    what = f"{sizes[0]}→{sizes[1]}"
    images = f"{BATCH} x {sizes[2]}²"
    return f"D16 convolution/order {order}, {what}, {images}" if order > 1 else f"convolutions/{what} 3x3, {images}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, help="the file of results; without it they are only printed")
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        print("skipped: there is no PyTorch")
        return
    if not torch.cuda.is_available():
        print("skipped: no CUDA device")
        return
    torch.backends.cudnn.benchmark = True
    results = Results(options.out, {"PyTorch": torch.__version__, "PyTorch's cuDNN": str(torch.backends.cudnn.version())})
    cases = [(sizes, order) for order in (16, 32) for sizes in SHAPES] + [(sizes, 1) for sizes in DENSE]
    for how in ("eager", "graph", "compiled"):
        for sizes, order in cases:
            channels, case = (sizes[0] * order, sizes[1] * order, sizes[2]), case_of(sizes, order)
            for number in NUMBERS:
                for layout in ("NHWC", "NCHW"):
                    name = f"{case}, forward/{number}/PyTorch, {layout}, {how}"
                    attempt(torch, results, name, lambda: convolution(torch, results, name, channels, number, layout, how))
            for training in (False, True) if how == "eager" and order > 1 else ():
                more = ", forward and gradients/float32/escnn" if training else ", forward/float32/escnn, filter expanded before"
                name = case + more
                attempt(torch, results, name, lambda: equivariant(torch, results, name, sizes, order, training))


if __name__ == "__main__":
    sys.exit(main())
