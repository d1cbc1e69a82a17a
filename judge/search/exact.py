"""The nearest documents of every query, found by comparing each with each: blocks of products, nothing approximate.

A block of queries goes over all documents with the least score of its k best so far as a bar: past the first block of
documents few scores clear it, so that a comparison a product is nearly all the choosing there is.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

QUERIES, DOCUMENTS = 4096, 2048
"""Sizes of a block: 34 MB of scores, in memory that is used again for each."""
HELD = 8
"""Hits a query, on average, that wait to be merged."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


def blocks(queries: Any, documents: Any, k: int, start: int = 0) -> Iterator[tuple[Ints, Floats]]:
    """The k nearest documents of every query by the product of their vectors, `QUERIES` queries at a time.

    Args:
        queries: Shape (Q, D), float32 or float16; a memory map is read a block at a time.
        documents: Shape (N, D), likewise.
        k: How many; all of them where there are fewer.
        start: The query to begin with.

    Yields:
        Places among the documents and scores, both of shape (block, min(k, N)), best first, of equals the earlier
        first.
    """
    width, most = min(k, len(documents)), min(DOCUMENTS, len(documents))
    read = np.empty((most, documents.shape[1]), np.float32)
    room = np.empty(min(QUERIES, len(queries)) * most, np.float32)
    above = np.empty(len(room), bool)
    for begin in range(start, len(queries), QUERIES):
        asked = np.asarray(queries[begin : begin + QUERIES], np.float32)
        best = _Best(len(asked), width)
        for first in range(0, len(documents), DOCUMENTS):
            block = documents[first : first + DOCUMENTS]
            shape, size = (len(asked), len(block)), len(asked) * len(block)
            read[: len(block)] = block
            product = np.matmul(asked, read[: len(block)].T, out=room[:size].reshape(shape))
            if best.scores.shape[1] < width:
                best.take(product, first)
                continue
            np.greater(product, best.scores[:, -1:], out=above[:size].reshape(shape))
            hits = np.flatnonzero(above[:size])
            rows, columns = np.divmod(hits, len(block))
            best.hold(rows, columns + first, room[hits])
        best.settle()
        yield best.places, best.scores


class _Best:
    """The best of each query so far, and hits that may be among them."""

    def __init__(self, count: int, width: int) -> None:
        self.places, self.scores = np.zeros((count, 0), np.int64), np.zeros((count, 0), np.float32)
        self.width = width
        self.held: list[tuple[Ints, Ints, Floats]] = []

    def take(self, product: Floats, first: int) -> None:
        """All documents of a block, while there are fewer than are wanted."""
        places = np.broadcast_to(np.arange(first, first + product.shape[1]), product.shape)
        self.places, self.scores = _merged(self.places, self.scores, places, product, self.width)

    def hold(self, rows: Ints, places: Ints, scores: Floats) -> None:
        """Hits of a block. They are merged once they are many, since a merge costs much for a few as well."""
        self.held.append((rows, places, scores))
        if sum(len(hits[0]) for hits in self.held) > HELD * len(self.places):
            self.settle()

    def settle(self) -> None:
        """Merge what is held."""
        if not self.held:
            return
        rows, places, scores = map(np.concatenate, zip(*self.held, strict=True))
        self.held = []
        order = np.argsort(rows, kind="stable")
        of_row = _ragged(len(self.places), rows[order], places[order], scores[order])
        touched = np.unique(rows)
        merged = _merged(self.places[touched], self.scores[touched], of_row[0][touched], of_row[1][touched], self.width)
        self.places[touched], self.scores[touched] = merged


def _ragged(count: int, rows: Ints, places: Ints, scores: Floats) -> tuple[Ints, Floats]:
    """Hits by row as a rectangle; what is no hit has no score above any."""
    sizes = np.bincount(rows, minlength=count)
    column = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    width = int(sizes.max(initial=0))
    at, score = np.zeros((count, width), np.int64), np.full((count, width), -np.inf, np.float32)
    at[rows, column], score[rows, column] = places, scores
    return at, score


def _merged(places: Ints, scores: Floats, more: Ints, of_more: Floats, width: int) -> tuple[Ints, Floats]:
    both, score = np.concatenate([places, more], axis=1), np.concatenate([scores, of_more], axis=1)
    if score.shape[1] > 2 * width:
        # All that reach the least of the best: of equals the earlier has to be chosen below.
        least = np.partition(score, score.shape[1] - width, axis=1)[:, -width][:, None]
        kept = score >= least
        rows, columns = np.nonzero(kept)
        both, score = _ragged(len(score), rows, both[rows, columns], score[rows, columns])
    order = np.lexsort((both, -score), axis=1)[:, :width]
    return np.take_along_axis(both, order, axis=1), np.take_along_axis(score, order, axis=1)
