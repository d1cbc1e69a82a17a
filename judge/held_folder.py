"""The folder of a training, held by one process at a time: new, or begun with the same parts."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from judge.errors import RunError
from judge.fingerprint import Fingerprint
from judge.places import check_writable


@contextmanager
def hold_folder(
    out: Path, key: Path, wanted: Fingerprint, begun: Callable[[], Fingerprint], left: Collection[Path] = ()
) -> Iterator[None]:
    """Hold a training's folder, made if absent.

    Args:
        out: The folder.
        key: The file in it that says what it was begun with; without it, what lies there is somebody else's.
        wanted: The parts of this training.
        begun: Reads those of `key`.
        left: What a training that was killed may leave there before `key`.

    Raises:
        RunError: Another process holds it, or it holds another training or something else.
        InputError: It cannot be written.
    """
    from filelock import FileLock, Timeout

    check_writable(out)
    out.mkdir(parents=True, exist_ok=True)
    lock = out / ".lock"
    if not key.is_file() and any(path != lock and path not in left for path in out.iterdir()):
        raise RunError(f"{out}: already holds something else", "choose a new directory with --out")
    try:
        with FileLock(lock, timeout=0):
            if key.is_file() and (lines := begun().differences(wanted)):
                listed = "".join(f"\n  {line}" for line in lines)
                fix = "choose another --out, or give what it was begun with"
                raise RunError(f"{out}: holds another training; what differs:{listed}", fix)
            yield
    except Timeout:
        raise RunError(f"{out}: another process is writing it", "wait for it, or stop it") from None
    lock.unlink(missing_ok=True)
