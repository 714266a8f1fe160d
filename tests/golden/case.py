"""Writes golden cases in the project's file format (docs: conformance): float32 in, float64 out, gradients by torch."""
import json
import os

import torch
from safetensors.torch import save_file

FOLDER = os.path.dirname(os.path.abspath(__file__))


def numbers(seed, *shape, low=-1.0, high=1.0):
    """Uniform float32 numbers that depend on the seed and the shape only."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator) * (high - low) + low


def save(name, op, attrs, inputs, outputs, gradients=None, cotangent=None, rtol=2e-5, atol=1e-6, source=None):
    tensors = {f"in.{key}": value for key, value in inputs.items()}
    tensors |= {f"out.{key}": value.detach() for key, value in outputs.items()}
    tensors |= {f"grad.{key}": value for key, value in (gradients or {}).items()}
    if cotangent is not None:
        tensors[f"cot.{next(iter(outputs))}"] = cotangent
    metadata = {"op": op, "attrs": json.dumps(attrs), "rtol": str(rtol), "atol": str(atol),
                "source": source or f"torch {torch.__version__}"}
    tensors = {key: value.contiguous().clone() for key, value in tensors.items()}
    save_file(tensors, os.path.join(FOLDER, name + ".safetensors"), metadata)


def differentiable(name, op, attrs, inputs, function, wrt, first="y", seed=1, **options):
    """Calls function(**inputs in float64) -> tensor or dict; gradients of <outputs, random cotangent> for `wrt`."""
    wide = {key: value.double() if value.is_floating_point() else value for key, value in inputs.items()}
    for key in wrt:
        wide[key].requires_grad_()
    outputs = function(**wide)
    if not isinstance(outputs, dict):
        outputs = {first: outputs}
    outputs = {key: value if value.dim() else value.reshape(1) for key, value in outputs.items()}
    result = outputs[next(iter(outputs))]
    cotangent = numbers(seed, *result.shape)
    gradients = torch.autograd.grad((result * cotangent.double()).sum(), [wide[key] for key in wrt])
    save(name, op, attrs, inputs, outputs, dict(zip(wrt, gradients)), cotangent, **options)
