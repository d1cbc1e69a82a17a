"""Holding a run directory: one process at a time makes, plans, finishes or labels it alone."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from judge.errors import RunError
from judge.files import sync
from judge.places import RUN_MARK
from judge.run.plan import PLAN

GROWN = "grown"
"""The folder in which a larger input of the same run lies whole, until it has taken the place of what was there."""
ABANDONED = 3600.0
"""Seconds after which a half-written part of a planned run is nobody's: a part is written in one go."""

# What may lie in a directory that has no manifest yet, because the process that began it was killed.
_OURS = re.compile(r"^(pairs\.parquet|\.lock|staging-.*|.*\.partial)$")


@contextmanager
def holding(path: Path, labels: Path) -> Iterator[None]:
    """Hold a run's directory: made if absent.

    Raises:
        RunError: Another process holds it, or something else lies there.
    """
    from filelock import FileLock, Timeout

    made, manifest = _make(path), path / RUN_MARK
    lock = FileLock(path / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(f"{path}: another process is writing this run", "wait for it, or stop it") from None
    try:
        _clean(path, labels)
        settle_growth(path)
        yield
    finally:
        if not manifest.is_file():
            # Input that was refused leaves behind nothing that was not there before: the name stays free.
            (path / "pairs.parquet").unlink(missing_ok=True)
            (path / ".lock").unlink(missing_ok=True)
            with suppress(OSError):
                for folder in made:
                    folder.rmdir()
        lock.release()


def settle_growth(path: Path) -> None:
    """Put a run's larger input in its place, wherever a kill may have left that; what was labelled is in it."""
    if not (grown := path / GROWN).is_dir():
        return
    if (grown / RUN_MARK).is_file():
        for part in (path / "labels").glob("*"):
            part.unlink()
        # The manifest last: until then, the folder says that all of this is still to be done.
        for name in ("inherited.parquet", "pairs.parquet", RUN_MARK):
            if (grown / name).is_file():
                (grown / name).replace(path / name)
    shutil.rmtree(grown)
    sync(path)


def _make(path: Path) -> list[Path]:
    """Make the directory; returns the folders that were not there before, the innermost first."""
    where = "choose a directory you may write to with --out"
    if (path / RUN_MARK).is_file():
        where = "work where you may write it, or on a copy of it"
    absent = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        found = {inside.name for inside in path.iterdir()}
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})", where) from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise RunError(f"{path}: cannot be written", where)
    # Without a manifest, our lock is the sign that what lies there is a beginning of ours that was killed.
    strange = sorted(name for name in found if not (_OURS.match(name) and ".lock" in found))
    if strange and RUN_MARK not in found:
        raise RunError(f"{path}: already holds something else ({strange[0]})", "choose a new one with --out")
    return absent


def _clean(path: Path, labels: Path) -> None:
    """Remove what a killed process left half written. The lock says that nobody is writing it, but for the parts of a
    planned run, whose workers hold no lock: those are left alone while they may be a living worker's."""
    planned, long_ago = (path / PLAN).is_file(), time.time() - ABANDONED
    for left in path.glob("*.partial"):
        left.unlink(missing_ok=True)
    for left in labels.glob("*.partial"):
        with suppress(FileNotFoundError):
            if not planned or left.stat().st_mtime < long_ago:
                left.unlink()
    for left in path.glob("staging-*"):
        shutil.rmtree(left, ignore_errors=True)
