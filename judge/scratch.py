"""Temporary folders that outlive no command for long: what killed processes left is removed by the next one.

A command that is stopped removes its folder itself; one that is killed, or loses its machine, cannot. So each folder
holds a lock, which the system releases when its process ends, however it ends: a folder whose lock is free is nobody's.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

PREFIX = "judge-scratch-"
LOCK = ".judge-scratch.lock"
_OURS = re.compile(rf"{PREFIX}[a-z0-9_]{{8}}")


@contextmanager
def scratch_folder(what: str) -> Iterator[Path]:
    """An empty folder `what` in the system's temporary folder (`$TMPDIR`), gone afterwards.

    Once a process, what killed processes of this user left there is removed first.

    Raises:
        OSError: It cannot be written there.
    """
    from filelock import FileLock

    top = Path(tempfile.gettempdir())
    _clear(top)
    # It gets its name once it is locked: nobody takes it for left behind before.
    made = Path(tempfile.mkdtemp(prefix=f"{PREFIX}new-"))
    with FileLock(made / LOCK, timeout=0):
        folder = made.rename(made.with_name(made.name.replace("new-", "", 1)))
        try:
            (folder / what).mkdir()
            yield folder / what
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@cache
def _clear(top: Path) -> None:
    """Remove folders of this user's processes that are no more; what cannot be removed stays."""
    from filelock import FileLock, Timeout

    for folder in top.iterdir():
        if not _OURS.fullmatch(folder.name):
            continue
        with suppress(OSError, Timeout):
            # In a folder that all users share, a name says nothing: it is ours by its owner and its lock, and no link.
            own = folder.lstat().st_uid == os.geteuid() and not folder.is_symlink()
            if own and (folder / LOCK).is_file():
                with FileLock(folder / LOCK, timeout=0):
                    shutil.rmtree(folder, ignore_errors=True)
