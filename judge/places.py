"""Where something may be written: a place that is one, that lets itself be written, and that is no run's own."""

import re
from pathlib import Path
from tempfile import TemporaryFile

from judge.errors import InputError

ELSEWHERE = "choose a place you may write to"
RUN_MARK = "run.json"
OF_RUNS = frozenset(
    {
        *(RUN_MARK, "pairs.parquet", "labels", ".lock", "flags.parquet", "evidence.parquet"),
        *("decisions.jsonl", "exports.jsonl", "calibration.json", "answers.jsonl", "calibration_sample.json"),
        *("plan.json", "failed", "inherited.parquet", "refresh.json", "seen.json"),
    }
)
"""What verbs keep in a run's directory under these names."""


def check_writable(*folders: Path, fix: str = ELSEWHERE) -> None:
    """Refuse folders in which no file can be made, there or not there yet: before any work, not after it.

    Raises:
        InputError: One is such a folder, or a file.
    """
    for folder in folders:
        check_here(folder)
        try:
            # A link to nothing is no folder, and none can be made in its place.
            nearest = next(path for path in (folder, *folder.parents) if path.exists() or path.is_symlink())
            # Permissions do not say it all: a disk may be mounted read-only, be another machine's, or be full.
            with TemporaryFile(dir=nearest, buffering=0) as file:
                file.write(b"0")
        except OSError as error:
            raise unwritable(folder, error, fix) from None


def unwritable(out: Path, error: OSError, fix: str = ELSEWHERE) -> InputError:
    """An error that says why a file or folder cannot be written."""
    return InputError(f"{out}: cannot be written ({error.strerror})", fix)


def check_here(path: Path) -> None:
    """Refuse a path that DuckDB or Arrow take for another place than Python does.

    Raises:
        InputError: It begins with `~` or with a scheme.
    """
    if str(path).startswith("~"):
        raise InputError(f"{path}: begins with ~, which is not a folder", "write your home directory's path instead")
    if scheme := re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", str(path)):
        raise InputError(f"{path}: begins with {scheme[0]}, which is not a folder", "choose a place on this machine")


def spare_runs(out: Path) -> None:
    """Refuse to write over a run, or over a file of its own, whatever may be overwritten."""
    target = out.resolve()
    for folder in (target, *target.parents):
        own = folder == target or target.relative_to(folder).parts[0] in OF_RUNS
        if own and (folder / RUN_MARK).is_file():
            raise InputError(f"{out}: belongs to the run {folder}, which would be lost", "choose another --out")
