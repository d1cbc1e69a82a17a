"""Safetensors files: what their headers say, and whether they are whole."""

from pathlib import Path
from typing import Any

from judge.errors import ModelError


def read_header(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Number type and shape of each tensor by name; the tensors stay unread.

    Raises:
        ModelError: The file is cut off or damaged.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            found = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
            return {name: (tensor.get_dtype(), tuple(tensor.get_shape())) for name, tensor in found.items()}
    except Exception as error:  # the library's own class of error, and those of files
        size = f"{path.stat().st_size:,} bytes" if path.is_file() else "not there"
        raise ModelError(
            f"{path}: is cut off or damaged: no whole safetensors file ({size})", "copy or download it again"
        ) from error


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
    return dict(load_file(path))
