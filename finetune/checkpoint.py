"""Where a training stands, in one safetensors file that is whole or absent: nothing in it is ever run."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from judge.documents import Kind, parse, reading
from judge.errors import RunError
from judge.files import keep
from judge.records import Record

CHECKPOINT = Kind("delete it: the same command then begins the training anew", RunError)


class Look(Record):
    """One look at the validation queries."""

    step: int
    training_loss: float | None
    """Mean over the steps since the last look."""
    log_loss: float
    """In nats, at the temperature that suits best."""
    accuracy: float


class Progress(Record):
    """Where a training stands, but for its tensors."""

    step: int = 0
    """Steps taken."""
    best: int = 0
    """The step whose weights are kept."""
    looks: tuple[Look, ...] = ()
    running: float = 0.0
    """Sum of the losses since the last look."""
    since: int = 0
    """Steps since the last look."""
    seconds: float = 0.0
    """Spent so far, all sittings together."""


def save(path: Path, progress: Progress, tensors: Mapping[str, Mapping[str, Any]]) -> None:
    """Write a checkpoint: groups of tensors by group and name."""
    from safetensors.torch import save_file

    flat = {
        f"{group}/{name}": t.detach().cpu().contiguous()
        for group, named in tensors.items()
        for name, t in named.items()
    }
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    save_file(flat, partial, metadata={"progress": json.dumps(progress.model_dump(mode="json"))})
    keep(partial, path)


def load(path: Path) -> tuple[Progress, dict[str, dict[str, Any]]]:
    """What `save` wrote.

    Raises:
        RunError: The file is cut off or damaged.
    """
    from safetensors import safe_open

    groups: dict[str, dict[str, Any]] = {}
    with reading(path, CHECKPOINT), safe_open(path, framework="pt") as stream:
        for key in stream.keys():  # noqa: SIM118 it is no mapping
            group, _, name = key.partition("/")
            groups.setdefault(group, {})[name] = stream.get_tensor(key)
        said = (stream.metadata() or {}).get("progress", "")
    return parse(said, Progress, CHECKPOINT, path), groups
