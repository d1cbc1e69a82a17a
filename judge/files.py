"""Files that are whole or absent, whatever happens."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from judge.errors import InputError


def keep(partial: Path, target: Path) -> None:
    """Give a written file its name, so that neither file nor name is lost when the machine stops."""
    with partial.open("rb") as stream:
        os.fsync(stream.fileno())
    partial.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def now() -> str:
    """The time, ISO 8601 in UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is whole or absent, whatever happens."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(data)
    keep(partial, path)


@contextmanager
def new_file(out: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary name beside a file the user asked for; it takes the file's place when all went well.

    Raises:
        InputError: The file is already there and is not to be replaced, or cannot be written.
    """
    if out.exists() and not (overwrite and out.is_file()):
        raise InputError(f"{out}: is already there", "choose another file, or replace it with --overwrite")
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror})", "choose a place you may write to") from None
    try:
        yield partial
        keep(partial, out)
    finally:
        partial.unlink(missing_ok=True)


def dump_json(value: Any) -> str:
    """JSON for machines and for eyes: indented, not escaped, without NaN."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str)
