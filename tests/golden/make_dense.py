"""Golden cases of the dense ops from PyTorch: sizes of 1, primes, wide and uneven shapes, saturating inputs, ties.

Run: python tests/golden/make_dense.py   (needs torch, safetensors)
"""
import torch
import torch.nn.functional as F

from case import differentiable, numbers, save


def conv(name, x, weight, bias, stride, padding, dilation=(1, 1), groups=1):
    attrs = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    inputs = {"x": x, "weight": weight} | ({} if bias is None else {"bias": bias})
    differentiable(name, "conv2d", attrs, inputs,
                   lambda x, weight, bias=None: F.conv2d(x, weight, bias, stride, padding, dilation, groups), list(inputs))


conv("conv2d_one_pixel", numbers(1, 1, 1, 1, 1), numbers(2, 1, 1, 3, 3), numbers(3, 1), (1, 1), (1, 1))
conv("conv2d_primes", numbers(4, 1, 7, 13, 11), numbers(5, 5, 7, 3, 3), numbers(6, 5), (2, 1), (0, 2))
conv("conv2d_uneven_kernel", numbers(7, 1, 3, 6, 9), numbers(8, 4, 3, 2, 5), None, (1, 3), (3, 1), (1, 2))
conv("conv2d_depthwise", numbers(9, 1, 17, 5, 5), numbers(10, 17, 1, 3, 3), numbers(11, 17), (1, 1), (1, 1), groups=17)
conv("conv2d_wide", numbers(12, 1, 131, 2, 3), numbers(13, 3, 131, 1, 1), numbers(14, 3), (1, 1), (0, 0))
conv("conv2d_patches", numbers(15, 1, 2, 9, 8), numbers(16, 19, 2, 4, 4), numbers(17, 19), (4, 4), (0, 0))


def conv_transpose(name, x, weight, bias, stride, padding, output_padding):
    attrs = {"stride": stride, "padding": padding, "output_padding": output_padding}
    inputs = {"x": x, "weight": weight} | ({} if bias is None else {"bias": bias})
    differentiable(name, "conv_transpose2d", attrs, inputs,
                   lambda x, weight, bias=None: F.conv_transpose2d(x, weight, bias, stride, padding, output_padding),
                   list(inputs))


conv_transpose("conv_transpose2d_one_pixel", numbers(20, 1, 1, 1, 1), numbers(21, 1, 3, 2, 2), None, (2, 2), (0, 0), (0, 0))
conv_transpose("conv_transpose2d_uneven", numbers(22, 2, 5, 3, 4), numbers(23, 5, 3, 3, 3), numbers(24, 3), (3, 2), (1, 0), (2, 1))
conv_transpose("conv_transpose2d_dense", numbers(25, 1, 3, 5, 5), numbers(26, 3, 7, 5, 5), numbers(27, 7), (1, 1), (2, 2), (0, 0))

differentiable("linear_wide", "linear", {}, {"x": numbers(30, 3, 67), "weight": numbers(31, 5, 67)},
               lambda x, weight: F.linear(x, weight), ["x", "weight"])


def batch_norm(name, x, training, momentum, eps):
    channels = x.shape[1]
    inputs = {"x": x, "weight": numbers(41, channels), "bias": numbers(42, channels),
              "running_mean": numbers(43, channels), "running_var": numbers(44, channels, low=0.5, high=2)}

    def run(x, weight, bias, running_mean, running_var):
        mean, var = running_mean.clone(), running_var.clone()
        y = F.batch_norm(x, mean, var, weight, bias, training, momentum, eps)
        return {"y": y, "running_mean": mean, "running_var": var}

    differentiable(name, "batch_norm2d", {"training": training, "eps": eps, "momentum": momentum}, inputs, run,
                   ["x", "weight", "bias"])


batch_norm("batch_norm2d_two_values", numbers(40, 2, 3, 1, 1), True, 0.3, 1e-3)
batch_norm("batch_norm2d_far_from_zero", 100 + numbers(45, 3, 17, 3, 2), True, 0.1, 1e-5)
batch_norm("batch_norm2d_eval_wide", numbers(46, 1, 37, 1, 3), False, 0.1, 1e-5)

# Zeros of both signs, where relu and elu have their kink; far out, where sigmoid and softplus saturate.
edges = torch.tensor([0.0, -0.0, 1e-30, -1e-30, 1, -1, 15, -15, 30, -30, 88, -88, 100, -100, 1000, -1000, 0.3])
differentiable("relu_edges", "relu", {}, {"x": edges}, lambda x: F.relu(x), ["x"])
differentiable("elu_edges", "elu", {"alpha": 1.7}, {"x": edges}, lambda x: F.elu(x, 1.7), ["x"])
# Each value has its own scale here, so what saturates is apart from what does not.
near, far = edges[edges.abs() <= 15], edges[edges.abs() >= 30]
for op, function in {"silu": F.silu, "sigmoid": F.sigmoid, "softplus": F.softplus}.items():
    differentiable(f"{op}_near", op, {}, {"x": near.reshape(1, 3, 3, 1)}, lambda x: function(x), ["x"], rtol=1e-6, atol=1e-7)
    differentiable(f"{op}_saturated", op, {}, {"x": far}, lambda x: function(x), ["x"])

ties = torch.tensor([[2.0, 2, 2, 2, 2], [1000, 0, -1000, 0, 1000], [-80, 80, -80, 80, 0]])
for op, function in {"softmax": F.softmax, "log_softmax": F.log_softmax}.items():
    differentiable(f"{op}_ties", op, {"dim": -1}, {"x": ties}, lambda x: function(x, -1), ["x"])
    differentiable(f"{op}_first_axis", op, {"dim": 0}, {"x": numbers(50, 3, 2, 1, 7)}, lambda x: function(x, 0), ["x"])

steps = torch.floor(numbers(60, 2, 3, 7, 5, low=0, high=3))  # many equal values: the first one takes the gradient
differentiable("max_pool2d_ties", "max_pool2d", {"kernel": [3, 2], "stride": [1, 2], "padding": [1, 0]}, {"x": steps},
               lambda x: F.max_pool2d(x, (3, 2), (1, 2), (1, 0)), ["x"])
differentiable("max_pool2d_gaps", "max_pool2d", {"kernel": [2, 2], "stride": [3, 5], "padding": [0, 0]},
               {"x": numbers(61, 1, 5, 11, 13)}, lambda x: F.max_pool2d(x, 2, (3, 5)), ["x"])
for include in (True, False):
    attrs = {"kernel": [3, 4], "stride": [2, 3], "padding": [1, 2], "count_include_pad": include}
    differentiable(f"avg_pool2d_padded_{'all' if include else 'inside'}", "avg_pool2d", attrs, {"x": numbers(62, 2, 3, 6, 7)},
                   lambda x: F.avg_pool2d(x, (3, 4), (2, 3), (1, 2), count_include_pad=include), ["x"])


def upsample(name, x, scale, mode, align_corners):
    corners = align_corners if mode == "bilinear" else None
    differentiable(name, "upsample", {"scale": scale, "mode": mode, "align_corners": align_corners}, {"x": x},
                   lambda x: F.interpolate(x, scale_factor=scale, mode=mode, align_corners=corners), ["x"])


upsample("upsample_nearest_3", numbers(70, 1, 3, 2, 5), 3, "nearest", False)
upsample("upsample_bilinear_3", numbers(71, 2, 3, 3, 2), 3, "bilinear", False)
upsample("upsample_bilinear_corners", numbers(72, 1, 5, 3, 4), 2, "bilinear", True)
upsample("upsample_bilinear_one_row", numbers(73, 1, 2, 1, 3), 4, "bilinear", True)


def cross_entropy(name, logits, target, weight, smoothing):
    inputs = {"logits": logits, "target": torch.tensor(target)} | ({} if weight is None else {"weight": weight})
    differentiable(name, "cross_entropy", {"label_smoothing": smoothing}, inputs,
                   lambda logits, target, weight=None: F.cross_entropy(logits, target, weight, label_smoothing=smoothing),
                   ["logits"], first="loss")


cross_entropy("cross_entropy_saturated", torch.tensor([[90.0, -90], [-90, 90], [0, 0], [90, 90]]), [0, 0, 1, 1], None, 0.0)
cross_entropy("cross_entropy_one_row", numbers(80, 1, 7), [3], numbers(81, 7, low=0.1, high=4), 0.3)
cross_entropy("cross_entropy_zero_weight", numbers(82, 5, 3), [0, 1, 2, 1, 0], torch.tensor([0.0, 2, 0.5]), 0.05)

for reduction in ("mean", "sum"):
    def loss(name, op, inputs, function, wrt):
        differentiable(f"{name}_{reduction}", op, {"reduction": reduction}, inputs, function, wrt, first="loss")

    exact = torch.tensor([0.0, 1, 1, 0, 0.5, 1e-6, 0.999])  # where the prediction is sure and right, nothing may overflow
    loss("bce_sure", "bce", {"x": exact, "target": torch.tensor([0.0, 1, 1, 0, 0.2, 0, 1])},
         lambda x, target: F.binary_cross_entropy(x, target, reduction=reduction), ["x"])
    loss("bce_with_logits_saturated", "bce_with_logits",
         {"x": torch.tensor([[200.0, -200, 200, -200, 0, 3]]), "target": torch.tensor([[1.0, 0, 0, 1, 0.5, 0.25]])},
         lambda x, target: F.binary_cross_entropy_with_logits(x, target, reduction=reduction), ["x"])
    same = numbers(83, 3, 7)
    loss("l1_ties", "l1", {"x": same, "target": torch.where(same > 0, same, torch.zeros_like(same))},
         lambda x, target: F.l1_loss(x, target, reduction=reduction), ["x"])
    loss("mse_one", "mse", {"x": numbers(84, 1), "target": numbers(85, 1)},
         lambda x, target: F.mse_loss(x, target, reduction=reduction), ["x"])

    def kl(mu, logvar):
        terms = -0.5 * (1 + logvar - mu**2 - logvar.exp())
        return terms.mean() if reduction == "mean" else terms.sum()

    loss("kl_standard_normal_wide", "kl_standard_normal",
         {"mu": numbers(86, 3, 5, low=-4, high=4), "logvar": numbers(87, 3, 5, low=-30, high=4)}, kl, ["mu", "logvar"])


def adam(name, op, optimizer, decay, step):
    param, grad = numbers(90, 3, 11), numbers(91, 3, 11)
    m, v = numbers(92, 3, 11, low=-0.1, high=0.1), numbers(93, 3, 11, low=0, high=0.1)
    if step == 1:
        m, v = torch.zeros_like(m), torch.zeros_like(v)
    leaf = param.double().requires_grad_()
    leaf.grad = grad.double()
    opt = optimizer([leaf], lr=3e-3, betas=(0.8, 0.95), eps=1e-6, weight_decay=decay)
    opt.state[leaf] = {"step": torch.tensor(float(step - 1)), "exp_avg": m.double(), "exp_avg_sq": v.double()}
    opt.step()
    attrs = {"lr": 3e-3, "betas": [0.8, 0.95], "eps": 1e-6, "weight_decay": decay, "step": step}
    save(name, op, attrs, {"param": param, "grad": grad, "m": m, "v": v},
         {"param": leaf, "m": opt.state[leaf]["exp_avg"], "v": opt.state[leaf]["exp_avg_sq"]}, rtol=1e-6, atol=1e-7)


adam("adam_step_decay", "adam_step", torch.optim.Adam, 0.1, 1)
adam("adam_step_37", "adam_step", torch.optim.Adam, 0.0, 37)
adam("adamw_step_1000", "adamw_step", torch.optim.AdamW, 0.1, 1000)


def sgd(name, momentum, nesterov, decay, step):
    """PyTorch's buffer begins with the gradient: at step 1 it has none."""
    param, grad, buffer = numbers(94, 3, 11), numbers(95, 3, 11), numbers(96, 3, 11)
    if step == 1:
        buffer = torch.zeros_like(buffer)
    leaf = param.double().requires_grad_()
    leaf.grad = grad.double()
    opt = torch.optim.SGD([leaf], lr=0.03, momentum=momentum, nesterov=nesterov, weight_decay=decay)
    opt.state[leaf] = {"momentum_buffer": buffer.double() if step > 1 else None}
    opt.step()
    attrs = {"lr": 0.03, "momentum": momentum, "nesterov": nesterov, "weight_decay": decay, "step": step}
    save(name, "sgd_step", attrs, {"param": param, "grad": grad, "momentum": buffer},
         {"param": leaf, "momentum": opt.state[leaf]["momentum_buffer"]}, rtol=1e-6, atol=1e-7)


sgd("sgd_step_first_decay", 0.9, False, 0.1, 1)
sgd("sgd_step_momentum", 0.9, False, 0.0, 5)
sgd("sgd_step_momentum_decay", 0.7, False, 0.05, 12)
sgd("sgd_step_nesterov_decay", 0.9, True, 0.1, 37)
