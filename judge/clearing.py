"""What the cache holds, and clearing it.

The cache folder may be the user's own, with other things in it, also such as are named by digests. So a file is ours by
its name and place and, where those are not enough, by what it says.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from judge.cache import cache_folder, only_user

_VALUES = ("digests", "tokenizers", "backends", "control")
_VALUE = re.compile(r"[0-9a-f]{32}\.json|\.?[0-9a-f]{32}\.json\.[0-9a-f]{32}\.partial")
_ARRAYS = ("encodings", "searches", "tokens")
_ARRAY = re.compile(
    r"\.lock|state\.json|\.state\.json\.[0-9a-f]{32}\.partial|vectors\.f16|part-[0-9]{12}(\.partial)?\.npz"
)
_INDEX = re.compile(r"[0-9a-f]{32}\.(usearch|lock|partial)")
_MERGED = re.compile(r".+-[0-9a-f]{24}")
_UNPACKED = re.compile(r".+-[0-9a-f]{12}-f32-v\d+")
_DIGEST = re.compile(r"[0-9a-f]{32}")
_SCRATCH = re.compile(r"-[a-z0-9_]{8}")
"""What `tempfile.mkdtemp` puts behind a prefix."""


def held() -> Iterator[tuple[str, Path]]:
    """Files that the cache holds, each with its kind, and after the files of a folder of ours the folder itself.

    No link is followed but one in the place of the cache or of a kind's folder, and none is ours.
    """
    top = cache_folder()
    for kind in _VALUES:
        yield from ((kind, path) for path in _files(top / kind) if _VALUE.fullmatch(path.name) and _is_value(path))
        yield kind, top / kind
    for kind in _ARRAYS:
        for folder in _folders(top / kind):
            if _DIGEST.fullmatch(folder.name):
                yield from ((kind, path) for path in _files(folder) if _ARRAY.fullmatch(path.name))
                yield kind, folder
        yield kind, top / kind
    yield from (("indexes", path) for path in _files(top / "indexes") if _INDEX.fullmatch(path.name))
    yield "indexes", top / "indexes"
    yield from (("merged", path) for path in _made(top / "merged", _MERGED))
    yield "merged", top / "merged"
    yield from (("unpacked", path) for path in _made(top, _UNPACKED))


def sizes() -> dict[str, int]:
    """Bytes that the cache holds, by kind."""
    found: dict[str, int] = {}
    for kind, path in held():
        with suppress(OSError):  # it went away meanwhile
            if path.is_file():
                found[kind] = found.get(kind, 0) + path.stat().st_size
    return found


def clear_cache() -> dict[str, int]:
    """Remove what the cache holds, and return its bytes by kind.

    Raises:
        InputError: A process uses it.
        OSError: Some of it cannot be removed.
    """
    with only_user():
        return _clear()


def _clear() -> dict[str, int]:
    removed: dict[str, int] = {}
    for kind, path in held():
        if path.is_symlink():
            continue
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.is_file():
            size = path.stat().st_size
            path.unlink(missing_ok=True)
            removed[kind] = removed.get(kind, 0) + size
    return removed


def _made(parent: Path, name: re.Pattern[str]) -> Iterator[Path]:
    """What `make_folder` wrote: its folders' files by the digests that stand in each, locks, and what killed processes
    left."""
    for path in _files(parent):
        if name.fullmatch(path.name.removesuffix(".lock")) and path.suffix == ".lock" and not path.stat().st_size:
            yield path
    for folder in _folders(parent):
        scratch = _SCRATCH.fullmatch(folder.name[-9:]) and name.fullmatch(folder.name[1:-9])
        if folder.name.startswith(".") and scratch:
            yield from _files(folder)
            yield folder
        elif name.fullmatch(folder.name) and (digests := _json(folder / "digests.json")) is not None:
            yield from (path for path in _files(folder) if path.name in {*digests, "digests.json"})
            yield folder


def _is_value(path: Path) -> bool:
    return path.suffix == ".partial" or set(_json(path) or ()) == {"digest", "value"}


def _json(path: Path) -> dict[str, object] | None:
    """A file's JSON object; null where it holds none."""
    with suppress(OSError, ValueError, RecursionError):
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else None
    return None


def _files(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if path.is_file()]


def _folders(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if path.is_dir()]


def _entries(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if not path.is_symlink()] if folder.is_dir() else []
