"""BM25 over short texts of any script, many queries at a time.

Source: Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond", with the idf that is
never negative (Lucene's): ln(1 + (N - n + .5) / (n + .5)). A block of queries is one sparse product with the weights of
the documents, which at a million documents is many times faster than a pass over all of them for each query.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from judge.words.split import BOTH, singular, words

K1, B = 1.2, 0.75
WORK = 20_000_000
"""Products of two weights in a block of queries, at most: what its memory follows."""
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class Bm25:
    """An index in memory.

    Args:
        texts: The documents, in their order.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._terms: dict[str, int] = {}
        counts: list[int] = []
        terms: list[int] = []
        ends = [0]
        for text in texts:
            seen: dict[int, int] = {}
            for token in map(singular, words(text, BOTH)):
                term = self._terms.setdefault(token, len(self._terms))
                seen[term] = seen.get(term, 0) + 1
            terms.extend(seen)
            counts.extend(seen.values())
            ends.append(len(terms))
        self._weigh(counts, terms, ends)

    def _weigh(self, counts: Sequence[int], terms: Sequence[int], ends: Sequence[int]) -> None:
        from scipy.sparse import csr_array  # type: ignore[import-untyped, unused-ignore]

        size = len(ends) - 1
        shape = (size, max(1, len(self._terms)))
        weights = csr_array((np.array(counts, np.float32), np.array(terms, np.int32), np.array(ends)), shape=shape)
        lengths = np.asarray(weights.sum(axis=1), dtype=np.float32)
        mean = float(lengths.mean()) if size else 1.0
        per_row = np.repeat(K1 * (1 - B + B * lengths / max(mean, 1e-9)), np.diff(weights.indptr))
        self._frequency = np.bincount(weights.indices, minlength=shape[1])
        idf = np.log1p((size - self._frequency + 0.5) / (self._frequency + 0.5)).astype(np.float32)
        weights.data = idf[weights.indices] * weights.data * (K1 + 1) / (weights.data + per_row)
        self._by_term = weights.T.tocsr()

    def top(self, queries: Sequence[str], k: int) -> Iterator[tuple[Ints, Floats]]:
        """For each query the places of its best documents and their scores, best first, of equals the earlier first.

        Documents that share no word with the query are none of them.
        """
        from scipy.sparse import csr_array

        # In order: sums of a set would differ from process to process.
        found = ({*map(singular, words(query))} & self._terms.keys() for query in queries)
        asked = [sorted(map(self._terms.__getitem__, tokens)) for tokens in found]
        for block in self._blocks(asked):
            terms = np.array([term for query in block for term in query], np.int32)
            ends = np.cumsum([0, *map(len, block)])
            rows = csr_array((np.ones(len(terms), np.float32), terms, ends), shape=(len(block), self._by_term.shape[0]))
            scores = rows @ self._by_term
            for start, end in zip(scores.indptr[:-1], scores.indptr[1:], strict=True):
                yield _best(scores.indices[start:end], scores.data[start:end], k)

    def _blocks(self, asked: Sequence[Sequence[int]]) -> Iterator[Sequence[Sequence[int]]]:
        start, work = 0, 0
        for at, query in enumerate(asked):
            more = int(self._frequency[np.array(query, np.int64)].sum()) if query else 0
            if at > start and work + more > WORK:
                yield asked[start:at]
                start, work = at, 0
            work += more
        if start < len(asked):
            yield asked[start:]


def _best(places: Any, scores: Any, k: int) -> tuple[Ints, Floats]:
    if len(scores) > k:
        least = np.partition(scores, len(scores) - k)[len(scores) - k]
        places, scores = places[scores >= least], scores[scores >= least]
    order = np.lexsort((places, -scores))[:k]
    return places[order].astype(np.int64), scores[order]
