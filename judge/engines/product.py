"""Products with a model's weights, which lie in the order in which a library reads them where that is faster."""

import platform
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any, Literal

HINT = 256
"""Rows that a library is told to expect in a product; other numbers of rows are right, too, and about as fast."""
Library = Literal["MKL", "oneDNN"]


def reordering() -> Library | None:
    """In whose order weights are put; null: they stay as they are.

    With AVX-512 MKL is half as fast again. On AMD's processors it does not use AVX-512, and oneDNN does: 2.4 times the
    products a second. With AVX2 no order gains anything, and in MKL's the weights take 1.4 times the room.
    """
    import torch

    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        return None
    if torch.backends.mkldnn.is_available() and is_amd():
        return "oneDNN"
    return "MKL" if torch.backends.mkl.is_available() else None


@cache
def is_amd() -> bool:
    """Whether the processor is AMD's."""
    told = Path("/proc/cpuinfo")
    return "AuthenticAMD" in (told.read_text(errors="replace") if told.is_file() else platform.processor())


class Room:
    """Memory for tensors that are needed for a moment, used again and again: fresh memory for those of every layer
    would have the system clear several times the model."""

    def __init__(self) -> None:
        self._lent = list[Any]()
        self._spare = defaultdict[tuple[int, ...], list[Any]](list)

    def __call__(self, *shape: int) -> Any:
        """A tensor of a shape, fp32, filled with anything; it may be used until `free`."""
        import torch

        self._lent.append(self._spare[shape].pop() if self._spare[shape] else torch.empty(shape))
        return self._lent[-1]

    def free(self) -> None:
        """Take back what was given since the last call."""
        for tensor in self._lent:
            self._spare[tuple(tensor.shape)].append(tensor)
        self._lent = []


class Product:
    """`x @ W.T + b` for weights and biases stacked over each other, with a norm's weights folded in.

    Args:
        parts: Weights, and their biases where they have some; a weight's last dimension is the input's.
        norm: The norm's weights.
        room: Where weights are put together, if they are only read.
        first: What the first part is multiplied by.
        few: Whether it may get fewer than four rows: from four on, AVX2 gives the same bits in MKL's order or not.
    """

    def __init__(
        self,
        parts: list[list[Any]],
        norm: Any = None,
        room: Room | None = None,
        first: float = 1.0,
        *,
        few: bool = False,
    ) -> None:
        import torch

        self._library = reordering() or ("MKL" if few and torch.backends.mkl.is_available() else None)
        room = room if room and self._library else Room()
        weight = _stacked([part[0] for part in parts], room, first)
        if norm is not None:
            weight.mul_(norm)
        biases = [part[1].flatten() for part in parts if len(part) == 2]
        self._bias = torch.cat([biases[0] * first, *biases[1:]]) if biases else None
        self._weight, self._packed = weight, None
        if self._library:
            reorder = torch.ops.mkl._mkl_reorder_linear_weight
            reorder = reorder if self._library == "MKL" else torch.ops.mkldnn._reorder_linear_weight
            self._packed = reorder(weight, HINT)
            # The shape is asked for, the numbers are not.
            self._weight = weight.new_empty(1).expand(weight.shape)
            room.free()

    def __call__(self, rows: Any) -> Any:
        """The product for rows of shape (N, width), (N, outputs)."""
        import torch

        if self._packed is None:
            return torch.nn.functional.linear(rows, self._weight, self._bias)
        if self._library == "oneDNN":
            return torch.ops.mkldnn._linear_pointwise(rows, self._packed, self._bias, "none", [], "")
        return torch.ops.mkl._mkl_linear(rows, self._packed, self._weight, self._bias, len(rows))


def _stacked(parts: list[Any], room: Room, first: float) -> Any:
    """Weights over each other, the first of them scaled."""
    width = parts[0].shape[-1]
    rows = [part.numel() // width for part in parts]
    found = room(sum(rows), width)
    for place, part in zip(found.split(rows), parts, strict=True):
        place.view(part.shape).copy_(part)
    if first != 1:
        found[: rows[0]].mul_(first)
    return found
