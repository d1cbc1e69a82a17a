"""Safetensors files: what their headers say, and whether they are whole."""

from pathlib import Path
from typing import Any

from judge.documents import Kind, reading
from judge.errors import ModelError

WEIGHTS = Kind("copy or download it again", ModelError)


def read_header(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Number type and shape of each tensor by name; the tensors stay unread.

    Raises:
        ModelError: The file is cut off or damaged.
    """
    from safetensors import safe_open

    size = f"{path.stat().st_size:,} bytes" if path.is_file() else "not there"
    what = f"it is cut off, or no safetensors file ({size})"
    with reading(path, WEIGHTS, what), safe_open(path, framework="np") as file:
        found = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
        return {name: (tensor.get_dtype(), tuple(tensor.get_shape())) for name, tensor in found.items()}


def check_whole(directory: Path) -> None:
    """Refuse a model directory one of whose weight files is cut off or damaged.

    Raises:
        ModelError: Names the file.
    """
    for path in sorted(directory.glob("*.safetensors")):
        read_header(path)


def read_tensors(path: Path) -> dict[str, Any]:
    """Tensors by name, in memory of the processor.

    Raises:
        ModelError: The file is cut off or damaged.
    """
    from safetensors.torch import load_file

    read_header(path)
    with reading(path, WEIGHTS):
        return dict(load_file(path))
