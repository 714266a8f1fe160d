"""PyTorch in the comparison: the dense convolution of the expanded size, in both layouts and with packed weights."""
import torch
import torch.nn.functional as F

from protocol import relative_error, serve

FEW = 8  # channels (of the first image, for the weights of all) that are checked against float64


def gradient(dy, x, w, of_x):
    mask = [of_x, not of_x, False]
    return torch.ops.aten.convolution_backward(dy, x, w, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, mask)[not of_x]


def random(*sizes, layout):
    return torch.empty(sizes).uniform_(-1, 1).contiguous(memory_format=layout)


def packed_forward(x, w):
    """The weights laid out beforehand, as torch.compile does when a network is frozen."""
    packed = torch.ops.mkldnn._reorder_convolution_weight(w, [1, 1], [1, 1], [1, 1], 1, list(x.shape))
    return lambda: torch.ops.mkldnn._convolution_pointwise(x, packed, None, [1, 1], [1, 1], [1, 1], 1, "none", [], "")


def train(x, w, dy):
    x, w = x.detach().requires_grad_(), w.detach().requires_grad_()
    F.conv2d(x, w, padding=1).backward(dy)
    return w.grad


def timed(op, variant, x, w, dy):
    if op == "forward":
        return packed_forward(x, w) if variant == "packed" else lambda: F.conv2d(x, w, padding=1)
    if op == "training":
        return lambda: train(x, w, dy)
    return lambda: gradient(dy, x, w, of_x=op == "data_gradient")


def error(op, result, x, w, dy):
    if op == "forward":
        return relative_error(result[:1, :FEW], F.conv2d(x[:1].double(), w[:FEW].double(), padding=1))
    if op == "data_gradient":
        exact = gradient(dy[:1].double(), x[:1, :FEW].double(), w[:, :FEW].double(), of_x=True)
        return relative_error(result[:1, :FEW], exact)
    exact = gradient(dy[:, :FEW].double(), x[:, :FEW].double(), w[:FEW, :FEW].double(), of_x=False)
    return relative_error(result[:FEW, :FEW], exact)


def prepare(request):
    torch.set_num_threads(request["threads"])
    torch.manual_seed(1)
    channels_in, channels_out = request["in"] * request["order"], request["out"] * request["order"]
    size, batch = request["size"], request["batch"]
    layout = torch.contiguous_format if request["variant"] == "contiguous" else torch.channels_last
    x, dy = random(batch, channels_in, size, size, layout=layout), random(batch, channels_out, size, size, layout=layout)
    w = random(channels_out, channels_in, 3, 3, layout=layout)
    run = timed(request["op"], request["variant"], x, w, dy)
    quiet = run if request["op"] == "training" else torch.inference_mode()(run)
    return quiet, error(request["op"], quiet(), x, w, dy), None


serve({"peer": "torch", "version": torch.__version__}, prepare)
