"""Temporary folders that outlive no command for long: what killed processes left is removed by the next one.

A command that is stopped removes its folder itself; one that is killed, or loses its machine, cannot. So each folder
holds a lock, which the system releases when its process ends, however it ends: a folder whose lock is free is nobody's.
"""

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from zlib import crc32

PREFIX = "judge-scratch-"
LOCK = ".judge-scratch.lock"
_RANDOM = re.compile(r"[a-z0-9_]{8}")
"""What `tempfile.mkdtemp` puts behind a prefix."""


@contextmanager
def scratch_folder(what: str) -> Iterator[Path]:
    """An empty folder `what` in the system's temporary folder (`$TMPDIR`), gone afterwards.

    Once a process, what killed processes of this user on this machine left there is removed first.

    Raises:
        OSError: It cannot be written there.
    """
    top = Path(tempfile.gettempdir())
    _clear(top)
    # It gets its name once it is locked: nobody takes it for left behind before, or where the disk has no locks.
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}new-"))
    lock = None
    try:
        with suppress(OSError, ImportError):
            lock = _locked(folder / LOCK, os.O_CREAT)
            folder = folder.rename(folder.with_name(prefix() + folder.name[-8:]))
        (folder / what).mkdir()
        yield folder / what
    finally:
        _remove(folder, lock)


def prefix() -> str:
    """How the names of this machine's folders begin. Of others on the same disk, locks may tell nothing here."""
    return f"{PREFIX}{crc32(platform.node().encode()):08x}-"


@cache
def _clear(top: Path) -> None:
    """Remove folders of this user's processes that are no more; what cannot be removed stays."""
    with suppress(OSError, ImportError):  # it may be one that nobody lists
        for folder in top.iterdir():
            if folder.name.startswith(prefix()) and _RANDOM.fullmatch(folder.name.removeprefix(prefix())):
                _clear_one(folder)


def _clear_one(folder: Path) -> None:
    with suppress(OSError):
        # In a folder that all users share, a name says nothing: it is ours by its owner and its lock, and no link.
        if folder.lstat().st_uid == os.geteuid() and not folder.is_symlink():
            _remove(folder, _locked(folder / LOCK))


def _locked(path: Path, create: int = 0) -> int:
    """A file that is locked until it is closed.

    Raises:
        OSError: It is not there, another process holds it, or the disk has no locks.
        ImportError: The system has none.
    """
    import fcntl

    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | create, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def _remove(folder: Path, lock: int | None) -> None:
    """Remove a folder, its lock last: killed before, the next process finds the rest by it."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name != LOCK:
                shutil.rmtree(path, ignore_errors=True)
    if lock is not None:
        os.close(lock)  # network disks keep a file, and so its folder, while it is open
    shutil.rmtree(folder, ignore_errors=True)
