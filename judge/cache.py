"""What is computed once on this machine: small values and folders, by the digest of all that they depend on."""

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EIO
from pathlib import Path
from threading import Lock
from typing import Any

from judge.errors import InputError
from judge.files import write_whole
from judge.fingerprint import digest, file_digest

LARGE = 1 << 20
"""Bytes from which on a file's digest is kept."""
IN_USE = ".in-use"
"""The file that every process which relies on the cache holds a share of."""
_HELD: dict[Path, int] = {}
_HOLDING = Lock()
SETTLED = 5.0
"""Seconds after which a change of a file bears another time than the last one did: no clock of files is coarser."""


def cache_folder() -> Path:
    """Where such things lie: `$RELEVANCE_JUDGE_CACHE`, or the user's cache folder."""
    from platformdirs import user_cache_path

    chosen = os.environ.get("RELEVANCE_JUDGE_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("relevance-judge")


def hold_cache() -> None:
    """Keep others from clearing the cache until this process ends; to be called before what it holds is relied on.

    Memory maps outlast their files. What is read later does not, and what is being written could not be ended.
    """
    top = cache_folder()
    try:
        top.mkdir(parents=True, exist_ok=True)
        _in_use(top)
    except (OSError, ImportError):  # a cache that cannot be written cannot be cleared; a system without such locks
        return


@contextmanager
def only_user() -> Iterator[None]:
    """Hold the cache alone, while it is cleared.

    Raises:
        InputError: Another process uses it.
    """
    top = cache_folder()
    if not top.is_dir():
        yield
        return
    try:
        import fcntl

        handle = _in_use(top)
    except (OSError, ImportError):
        yield
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        fcntl.flock(handle, fcntl.LOCK_SH)
        raise InputError(
            f"{top}: another process uses it", "clear it once no command of judge and no notebook that uses it runs"
        ) from None
    try:
        yield
    finally:
        (top / IN_USE).unlink(missing_ok=True)
        os.close(_HELD.pop(top))


def _in_use(top: Path) -> int:
    """The handle by which this process shares the cache with others, until it ends."""
    import fcntl

    with _HOLDING:  # a second thread's handle would be lost, and its share keep this process itself from clearing
        while top not in _HELD:
            handle = os.open(top / IN_USE, os.O_RDWR | os.O_CREAT, 0o666)
            fcntl.flock(handle, fcntl.LOCK_SH)
            if os.fstat(handle).st_nlink:
                _HELD[top] = handle
            else:  # whoever cleared the cache meanwhile took the file away
                os.close(handle)
        return _HELD[top]


def cached(kind: str, key: str) -> Any | None:
    """A value that was kept; null where there is none, or it is not whole."""
    try:
        found = json.loads(_path(kind, key).read_text(encoding="utf-8"))
        return found["value"] if digest(found["value"]) == found["digest"] else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def keep_cached(kind: str, key: str, value: Any) -> None:
    """Keep a JSON-able value. Where nothing can be written it is computed again next time."""
    try:
        _path(kind, key).parent.mkdir(parents=True, exist_ok=True)
        write_whole(_path(kind, key), json.dumps({"digest": digest(value), "value": value}).encode())
    except OSError:
        return


def known_digest(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes, as `file_digest`; a large file is read again only once it has changed.

    A file is the same while place, number, size, and the times of its last writing and of its last change are: the
    latter is set by the system at every change, and by no program (on local disks). git trusts the same.
    """
    before = _state(path)
    key = digest([str(path.resolve()), *before])
    remember = before[0] >= LARGE and os.name == "posix"  # elsewhere the second time is that of its making
    if remember and isinstance(found := cached("digests", key), str):
        return found
    found = file_digest(path)
    if remember and _state(path) == before and time.time() - max(before[3:]) / 1e9 > SETTLED:
        keep_cached("digests", key, found)
    return found


def _state(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_size, found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns


@contextmanager
def storing() -> Iterator[None]:
    """What safetensors raises where weights cannot be written is an OSError within, as of any other file."""
    try:
        yield
    except Exception as error:
        from safetensors import SafetensorError

        if not isinstance(error, SafetensorError):
            raise
        number = re.search(r"os error (\d+)", str(error))
        code = int(number[1]) if number else EIO
        raise OSError(code, os.strerror(code)) from None


def make_folder(folder: Path, build: Callable[[Path], None]) -> None:
    """Make a folder of the cache unless it is there and whole.

    Safe when several processes start at once and after a kill halfway: the folder is whole or absent.

    Args:
        folder: Its place.
        build: Writes its files into another folder, which then takes that place.

    Raises:
        OSError: It cannot be written.
    """
    from filelock import FileLock

    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f"{folder.name}.lock"):
        if is_whole(folder):
            return
        # Leftovers of killed processes: we hold the lock, so nobody is writing them.
        for left in folder.parent.glob(f".{folder.name}-*"):
            shutil.rmtree(left, ignore_errors=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            build(scratch)
            digests = {path.name: file_digest(path) for path in sorted(scratch.iterdir())}
            (scratch / "digests.json").write_text(json.dumps(digests, indent=2))
            shutil.rmtree(folder, ignore_errors=True)
            scratch.rename(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def is_whole(folder: Path) -> bool:
    """Whether every file of a folder of `make_folder` has the digest it was written with, as `known_digest` sees it."""
    try:
        digests = json.loads((folder / "digests.json").read_text())
        return all(known_digest(folder / name) == value for name, value in digests.items())
    except (OSError, ValueError, AttributeError, TypeError):
        return False


def _path(kind: str, key: str) -> Path:
    return cache_folder() / kind / f"{key[:32]}.json"
