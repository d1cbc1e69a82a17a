"""Training that gives the same weights again: where it runs, and sums that keep an order there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from judge.errors import ModelError


@contextmanager
def repeatable(device: str) -> Iterator[None]:
    """On a GPU, have torch add up in the same order every time, where it can; processors do so by themselves.

    Attention runs as plain products: torch's fused kernels keep an order in their backward passes only where everything
    that keeps none is an error.
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    if chosen_device(device)[0] != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read at the first product
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def chosen_device(device: str) -> tuple[str, str]:
    """Device and number type of a configuration's `device`: auto, cpu or cuda.

    Raises:
        ModelError: A GPU is asked for, and there is none.
    """
    from judge.engines.transformers import best_device

    found = best_device()
    if device == "cuda" and found[0] != "cuda":
        raise ModelError("device: cuda is asked for, and there is no usable GPU", "set device: auto in --config")
    return ("cpu", "float32") if device == "cpu" else found
