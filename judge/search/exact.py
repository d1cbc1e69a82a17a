"""The nearest documents of every query, found by comparing each with each: blocks of products, nothing approximate.

A block of queries goes over all documents with the least score of its k best so far as a bar: past the first block of
documents few scores clear it, so that a comparison a product is nearly all the choosing there is.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

QUERIES, DOCUMENTS = 4096, 1024
"""Sizes of a block: 16 MB of scores, in memory that is used again for each."""

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
        places = np.zeros((len(asked), 0), np.int64)
        scores = np.zeros((len(asked), 0), np.float32)
        for first in range(0, len(documents), DOCUMENTS):
            block = documents[first : first + DOCUMENTS]
            shape, size = (len(asked), len(block)), len(asked) * len(block)
            read[: len(block)] = block
            product = np.matmul(asked, read[: len(block)].T, out=room[:size].reshape(shape))
            if scores.shape[1] < width:
                places, scores = _merged(places, scores, *_all(product, first), width)
                continue
            np.greater(product, scores[:, -1:], out=above[:size].reshape(shape))
            if len(hits := np.flatnonzero(above[:size])):
                rows, columns = np.divmod(hits, len(block))
                more = _ragged(len(asked), rows, columns + first, room[hits])
                touched = np.unique(rows)
                merged = _merged(places[touched], scores[touched], more[0][touched], more[1][touched], width)
                places[touched], scores[touched] = merged
        yield places, scores


def _all(product: Floats, first: int) -> tuple[Ints, Floats]:
    return np.broadcast_to(np.arange(first, first + product.shape[1]), product.shape), product


def _ragged(count: int, rows: Ints, places: Ints, scores: Floats) -> tuple[Ints, Floats]:
    """Hits by row as a rectangle; what is no hit has no score above any."""
    sizes = np.bincount(rows, minlength=count)
    column = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    width = int(sizes.max())
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
