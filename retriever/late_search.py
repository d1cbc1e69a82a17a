"""Search by late interaction: the mean over a query's tokens of the best cosine with any token of a product, exactly.

Every product of a shortlist is scored, or every product there is. Token vectors are kept in blocks under the digests of
model and texts, so that a killed encoding resumes:

    CACHE/tokens/KEY/part-000000000000.npz     vectors: fp16, shape (the block's tokens, dimension); lengths, by text
"""

import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from errno import ENOSPC
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from judge.cache import cache_folder, hold_cache
from judge.files import keep
from judge.fingerprint import digest
from judge.models.gguf import quiet_transformers
from judge.search.encoding import texts_digest, unwritable
from retriever.late import late_parts
from retriever.start import Start, find_start

BLOCK = 512
"""Texts that a kill can cost."""
BATCH = 32
CELLS = 1 << 26
"""Numbers of a table in memory, at most: of scores, and of cosines between tokens."""

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Tokens = tuple[npt.NDArray[np.float16], Ints]
"""Vectors of all tokens, and how many of them each text has."""


@dataclass(frozen=True)
class LateModel:
    """A late-interaction model, loaded when it first encodes."""

    start: Start
    cache: Path | None = None

    @cached_property
    def _model(self) -> Any:
        import torch

        return self.start.build("cuda" if torch.cuda.is_available() else "cpu").eval()

    def encode(self, texts: Sequence[str], kind: str) -> Tokens:
        """Vectors of length 1 for each token; a text has one at least.

        Raises:
            ModelError: The weights cannot be loaded.
        """
        encode = self._model.encode_query if kind == "query" else self._model.encode_document
        with quiet_transformers():
            found = encode(list(texts), batch_size=BATCH, convert_to_numpy=True, show_progress_bar=False)
        held = [np.asarray(each if len(each) else np.zeros((1, each.shape[1])), np.float16) for each in found]
        return np.concatenate(held), np.array([len(each) for each in held], np.int64)

    def blocks(self, texts: Sequence[str], progress: Callable[[int], None]) -> Iterator[tuple[int, Tokens]]:
        """Products' tokens, a block at a time with the place of its first text; encoded where they are not on disk.

        Raises:
            InputError: The disk has no room, or cannot be written.
            ModelError: The weights cannot be loaded.
        """
        key = digest([self.start.digest, texts_digest(texts), BLOCK])[:32]
        folder = (self.cache or cache_folder()) / "tokens" / key
        hold_cache()
        for begin in range(0, len(texts), BLOCK):
            part = folder / f"part-{begin:012d}.npz"
            found = _read(part)
            if found is None:
                found = self._encoded(part, texts[begin : begin + BLOCK], len(texts) - begin)
            progress(min(begin + BLOCK, len(texts)))
            yield begin, found

    def _encoded(self, part: Path, texts: Sequence[str], left: int) -> Tokens:
        """A block's tokens, encoded and kept; two searches over the same texts take turns, and share their blocks.

        Args:
            part: Where they are kept.
            texts: Of the block.
            left: Texts that are still to be kept, those of the block among them.
        """
        from filelock import FileLock

        size = 0
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(part.parent / ".lock"):
                if (found := _read(part)) is not None:
                    return found
                found = self.encode(texts, "document")
                size = found[0].nbytes * left // len(texts)
                if size > shutil.disk_usage(part.parent).free:
                    raise OSError(ENOSPC, os.strerror(ENOSPC))
                partial = part.with_suffix(".partial.npz")
                np.savez(partial, vectors=found[0], lengths=found[1])
                keep(partial, part)
                return found
        except OSError as error:
            raise unwritable(part.parent, "token vectors", error, size) from None

    def scores(
        self, queries: Sequence[str], texts: Sequence[str], progress: Callable[[int], None] = lambda done: None
    ) -> Iterator[Floats]:
        """Tables of scores, of shape (some queries, texts), that together have all queries in their order."""
        if not len(queries):
            return
        vectors, lengths = self.encode(queries, "query")
        ends = np.cumsum(lengths)
        many = max(1, CELLS // max(1, len(texts)))
        for first in range(0, len(queries), many):
            sizes = lengths[first : first + many]
            own = vectors[ends[first] - lengths[first] : ends[first + len(sizes) - 1]]
            table = np.empty((len(sizes), len(texts)), np.float32)
            for begin, block in self.blocks(texts, progress):
                table[:, begin : begin + len(block[1])] = max_similarities((own, sizes), block)
            yield table


def find_late(name: str, cache: Path | None = None) -> LateModel | None:
    """The late-interaction model of a folder; null where it is anything else.

    Raises:
        ModelError: The folder holds one of parts that are not known here.
    """
    return LateModel(find_start(name, late=True), cache) if is_late(name) else None


def is_late(name: str) -> bool:
    """Whether a name is of a late-interaction model's folder; its weights are not read.

    Raises:
        ModelError: The folder holds one of parts that are not known here.
    """
    folder = Path(name).expanduser()
    return folder.is_dir() and late_parts(folder) is not None


def max_similarities(queries: Tokens, documents: Tokens) -> Floats:
    """Means of MaxSim, shape (queries, documents); of at most `CELLS` cosines at once, or one query's.

    Source: Khattab and Zaharia 2020 (ColBERT, arXiv:2004.12832), divided by the number of the query's tokens.
    """
    said = np.asarray(documents[0], np.float32)
    ends, starts = np.cumsum(queries[1]), np.cumsum(documents[1]) - documents[1]
    found = np.empty((len(ends), len(starts)), np.float32)
    first = 0
    while first < len(ends):
        begin = ends[first] - queries[1][first]
        past = max(first + 1, int(np.searchsorted(ends, begin + CELLS // len(said), "right")))
        asked = np.asarray(queries[0][begin : ends[past - 1]], np.float32)
        best = np.maximum.reduceat(asked @ said.T, starts, axis=1)
        sizes = queries[1][first:past]
        found[first:past] = np.add.reduceat(best, np.cumsum(sizes) - sizes, axis=0) / sizes[:, None]
        first = past
    return found


def _read(path: Path) -> Tokens | None:
    try:
        with path.open("rb") as stream, np.load(stream) as held:
            return held["vectors"], held["lengths"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # not there, or damaged
        return None
