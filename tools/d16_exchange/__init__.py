"""What tools/escnn_to_d16.py and tools/d16_to_escnn.py share. Needs torch, escnn, numpy < 2; see docs/exchange.md."""

from .layers import Rescale, Unsupported, plain, source
from .network import call, expand_again, layers_of, load_factory, load_state

__all__ = [
    "Rescale",
    "Unsupported",
    "call",
    "expand_again",
    "layers_of",
    "load_factory",
    "load_state",
    "plain",
    "source",
]
