"""Files that are whole or absent, whatever happens."""

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from judge.errors import InputError
from judge.places import check_here, spare_runs, unwritable


def keep(partial: Path, target: Path) -> None:
    """Give a written file its name, so that neither file nor name is lost when the machine stops."""
    with partial.open("rb") as stream:
        os.fsync(stream.fileno())
    partial.replace(target)
    sync(target.parent)


def claim(partial: Path, target: Path) -> bool:
    """Give a written file its name unless another has it: of several writers, one succeeds and the others are told.

    Returns:
        Whether it has the name now. Where not, the caller removes what it wrote.
    """
    with partial.open("rb") as stream:
        os.fsync(stream.fileno())
    try:
        target.hardlink_to(partial)  # the one way to take a name only if it is free, on network disks too
    except FileExistsError:
        return False
    except OSError:
        if target.exists():
            return False
        partial.replace(target)  # a disk without links: the moment between these two lines is all that is left open
    sync(target.parent)
    return True


def now() -> str:
    """The time, ISO 8601 in UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is whole or absent, whatever happens."""
    # A name of its own: in containers every process has the same number. Hidden, as what a killed process leaves is not
    # part of the folder.
    partial = path.with_name(f".{path.name}.{uuid4().hex}.partial")
    with unless_it_fails(partial, path):
        partial.write_bytes(data)
        keep(partial, path)


@contextmanager
def unless_it_fails(partial: Path, target: Path) -> Iterator[None]:
    """Remove a file that could not be written to its end: where a disk is full it would take what room there is.

    Raises:
        OSError: As within, of `target` where a library did not say of which file.
    """
    try:
        yield
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(target)) from error


def append_lines(path: Path, lines: str, lock: Path) -> None:
    """Add whole lines to a file; they are on disk when this returns. A last line cut short by a crash stays one.

    Raises:
        OSError: The file cannot be written.
    """
    from filelock import FileLock

    with FileLock(lock), path.open("ab+") as stream:
        if stream.tell():
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                lines = "\n" + lines
        stream.write(lines.encode("utf-8", "backslashreplace"))
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def new_file(out: Path, *, overwrite: bool = False, kept: bool = False) -> Iterator[Path]:
    """A temporary name next to a file the user asked for; it takes the file's place when all went well.

    `kept` says that it is the very file which the verb keeps in a run.

    Raises:
        InputError: The file is already there and is not to be replaced, is a run's own, or cannot be written.
    """
    check_here(out.parent)
    if not kept:
        spare_runs(out)
    with _only_writer(out):
        if out.exists() and not (overwrite and out.is_file()):
            raise InputError(f"{out}: is already there", "choose another file, or replace it with --overwrite")
        partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
        try:
            partial.touch()
        except OSError as error:
            raise unwritable(out, error) from None
        yield partial
        keep(partial, out)


@contextmanager
def new_folder(out: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary folder next to one the user asked for; it takes the folder's name when all went well.

    An empty folder of that name is replaced; what else is there only where `overwrite` says so. What killed processes
    left next to it is cleared first.

    Raises:
        InputError: Something is already there, the folder is a run or of one, cannot be written, or is being written.
    """
    check_here(out.parent)
    spare_runs(out)
    with _only_writer(out):
        if out.exists() and not (out.is_dir() and (overwrite or not any(out.iterdir()))):
            raise InputError(f"{out}: is already there", "choose another folder, or replace it with --overwrite")
        try:
            # A name of its own: in containers every process has the same number.
            scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
            partial = scratch / out.name
            partial.mkdir()
        except OSError as error:
            raise unwritable(out, error) from None
        yield partial
        for path in (partial, *sorted(partial.rglob("*"))):
            sync(path)
        before = _before(scratch, out)
        if out.exists():
            # Two names change places: what was there is gone only once the new one stands.
            out.replace(before)
        partial.replace(out)
        sync(out.parent)
        if before.exists():
            before.replace(partial)


@contextmanager
def _only_writer(out: Path) -> Iterator[None]:
    """Hold the right to write a file or folder; what killed processes left next to it is removed before and after.

    Raises:
        InputError: It is being written, or its parent cannot be.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(out.parent / f".{out.name}.lock")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(f"{out}: another process is writing it", "wait for it, or choose another name") from None
    except OSError as error:
        raise unwritable(out, error) from None
    try:
        _clear(out)
        yield
    finally:
        _clear(out)
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _before(scratch: Path, out: Path) -> Path:
    """Where a folder lies that is being replaced."""
    return scratch / f"{out.name}.before"


def _clear(out: Path) -> None:
    """Remove what was left next to a file or folder by processes that are no more; the caller holds the lock. A folder
    that was about to be replaced is put back."""
    name = re.compile(rf"\.{re.escape(out.name)}\.[^.]+\.partial")
    for scratch in [path for path in out.parent.iterdir() if name.fullmatch(path.name)]:
        if not scratch.is_dir():
            scratch.unlink(missing_ok=True)
            continue
        if _before(scratch, out).is_dir() and not out.exists():
            _before(scratch, out).replace(out)
        shutil.rmtree(scratch, ignore_errors=True)


def sync(path: Path) -> None:
    """See that a file, or the names in a folder, are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def dump_json(value: Any) -> str:
    """JSON for machines and for eyes: indented, not escaped, without NaN."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str)
