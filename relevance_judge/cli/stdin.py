"""Standard input as a file: what is read is named once, on disk or from a pipe."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from judge.errors import InputError
from judge.scratch import scratch_folder


@contextmanager
def input_file(path: Path) -> Iterator[tuple[Path, str]]:
    """A file to read, and what to call it. `-` is standard input: it is kept in a temporary file, and its kind is found
    from its first bytes, since it has no suffix."""
    if str(path) != "-":
        yield path, str(path)
        return
    with scratch_folder("stdin") as folder:
        raw = Path(folder) / "stdin"
        with raw.open("wb") as stream:
            shutil.copyfileobj(sys.stdin.buffer, stream)
        yield raw.rename(raw.with_name("stdin" + _suffix(raw))), "standard input"


def _suffix(path: Path) -> str:
    import gzip
    import zlib

    from judge.tables.sniff import nameless_suffix

    with path.open("rb") as stream:
        head = stream.read(4096)
    if not head:
        raise InputError("standard input: is empty", "pipe rows into the command, or name a file")
    if zipped := head.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(path) as stream:
                head = stream.read(4096)
        except (EOFError, OSError, zlib.error):
            head = b""
    return nameless_suffix(head) + (".gz" if zipped else "")
