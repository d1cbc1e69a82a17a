"""The nearest texts of every query by an encoder: encoded once, searched exactly, resumed where a kill stopped it."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from judge.cache import cache_folder
from judge.files import keep
from judge.fingerprint import digest
from judge.models.encoder import Encoder
from judge.search import exact
from judge.search.encoding import encoded, texts_digest, unwritable

HIT = 12
"""Bytes of a place and its score."""
Progress = Callable[[str, int, int], None]
"""Told what is done, how much of it, and of how much."""


def quiet(what: str, done: int, of: int) -> None:
    """Say nothing."""


def nearest(
    queries: Sequence[str],
    texts: Sequence[str],
    encoder: Encoder,
    k: int,
    *,
    cache: Path | None = None,
    progress: Progress = quiet,
) -> list[tuple[exact.Ints, exact.Floats]]:
    """The k texts nearest to each query by cosine: their places and scores, best first, of equals the earlier first.

    Vectors and finished blocks of the search are kept under their digests, so that a killed search resumes.

    Raises:
        InputError: The disk has no room, or cannot be written.
        ModelError: The encoder fails.
    """
    from filelock import FileLock

    documents = encoded(texts, encoder, "document", cache=cache, progress=lambda n: progress("encode", n, len(texts)))
    words = encoded(queries, encoder, "query", cache=cache)
    key = digest([encoder.digest, texts_digest(texts), texts_digest(queries), k, exact.QUERIES])[:32]
    folder = (cache or cache_folder()) / "searches" / key
    found: list[tuple[exact.Ints, exact.Floats]] = []
    for start in range(0, len(queries), exact.QUERIES):
        part = folder / f"part-{start:012d}.npz"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".lock"):
                block = _block(part)
                if block is None:
                    block = next(exact.blocks(words, documents, k, start))
                    _keep(part, *block)
        except OSError as error:
            size = len(queries) * min(k, len(texts)) * HIT
            raise unwritable(folder, "results", error, size) from None
        found += zip(*block, strict=True)
        progress("search", len(found), len(queries))
    return found


def _block(path: Path) -> tuple[Any, Any] | None:
    try:
        with path.open("rb") as stream, np.load(stream) as held:
            return held["places"], held["scores"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # not there, or damaged
        return None


def _keep(path: Path, places: Any, scores: Any) -> None:
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, places=places, scores=scores)
    keep(partial, path)
