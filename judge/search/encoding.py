"""Texts as vectors on disk: encoded once, in blocks, kept under the digests of encoder and texts.

    CACHE/encodings/KEY/vectors.f16     a memory map of fp16, shape (texts, dimension), row-major
    CACHE/encodings/KEY/state.json      how many rows are on disk; written after they are

A killed encoding resumes with the first block that is not on disk. Other texts, or another encoder,
have another key.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from judge.cache import cache_folder, hold_cache
from judge.errors import InputError
from judge.files import sync, write_whole
from judge.fingerprint import digest
from judge.models.encoder import Encoder, Kind
from judge.watching import listening

BLOCK = 4096
"""Texts that a kill can cost."""
ROOM = 2
"""Bytes of a number."""

Halves = npt.NDArray[np.float16]


def encoded(
    texts: Sequence[str],
    encoder: Encoder,
    kind: Kind,
    *,
    cache: Path | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Halves:
    """The texts' vectors as a read-only memory map of fp16, shape (texts, dimension); encodes what is not there yet.

    Args:
        texts: In their order.
        encoder: Whose vectors.
        kind: What they are to the encoder.
        cache: Where vectors are kept; `$RELEVANCE_JUDGE_CACHE` or the user's cache folder unless given.
        progress: Told how many texts are encoded, after each batch.

    Raises:
        InputError: The disk has no room, or cannot be written.
        ModelError: The encoder fails.
    """
    from filelock import FileLock

    key = digest({"encoder": encoder.digest, "kind": kind, "texts": texts_digest(texts)})[:32]
    folder = (cache or cache_folder()) / "encodings" / key
    shape = len(texts), encoder.dimension
    if not len(texts):
        return np.zeros(shape, np.float16)
    hold_cache()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            done = _done(folder, shape)
            if done < len(texts):
                _encode(texts, encoder, kind, folder, done, progress)
    except OSError as error:
        raise unwritable(folder, "vectors", error, shape[0] * shape[1] * ROOM) from None
    return np.memmap(folder / "vectors.f16", np.float16, "r", shape=shape)


def unwritable(folder: Path, what: str, error: OSError, size: int) -> InputError:
    """For what cannot be kept, of so many bytes."""
    room = f"set RELEVANCE_JUDGE_CACHE to a folder with {size / 1e9:.1f} GB of room"
    return InputError(f"{folder}: {what} cannot be written ({error.strerror})", room)


def texts_digest(texts: Sequence[str]) -> str:
    """SHA-256 (hex) over texts in their order."""
    found = hashlib.sha256()
    for text in texts:
        raw = text.encode("utf-8", "surrogatepass")
        found.update(len(raw).to_bytes(8, "big") + raw)
    return found.hexdigest()


def _done(folder: Path, shape: tuple[int, int]) -> int:
    """Rows that are on disk; none where the file is not as long as it has to be."""
    try:
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        whole = (folder / "vectors.f16").stat().st_size == shape[0] * shape[1] * ROOM
        return int(state["rows"]) if whole and state["shape"] == list(shape) else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _encode(
    texts: Sequence[str], encoder: Encoder, kind: Kind, folder: Path, done: int, progress: Callable[[int], None]
) -> None:
    shape = len(texts), encoder.dimension
    path = folder / "vectors.f16"
    needed = shape[0] * shape[1] * ROOM - (path.stat().st_size if path.is_file() else 0)
    if needed > shutil.disk_usage(folder).free:
        raise InputError(
            f"{folder}: has no room for {needed / 1e9:.1f} GB of vectors", "set RELEVANCE_JUDGE_CACHE to another folder"
        )
    vectors: Any = np.memmap(path, np.float16, "r+" if done else "w+", shape=shape)
    encoded = done

    def tell(count: int) -> None:
        nonlocal encoded
        encoded += count
        progress(encoded)

    for start in range(done, len(texts), BLOCK):
        end = min(start + BLOCK, len(texts))
        with listening(tell, end - start):
            vectors[start:end] = encoder.encode(texts[start:end], kind)
        vectors.flush()
        sync(path)
        write_whole(folder / "state.json", json.dumps({"rows": end, "shape": list(shape)}).encode())
        encoded = end
        progress(end)
