"""How good one query's results are. Each measure is a function of the grades that are shown, best result first.

`shown` holds the grades of a system's results, -1 where nobody judged one; `judged` the grades of all judged products
of the query. For "judged only", leave the unjudged out of `shown` first (Sakai 2007, "Alternatives to Bpref": the
condensed list). A measure is NaN where it is undefined: without a relevant product there is nothing to find.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from retriever.ranked import Ints

Gain = Literal["exponential", "linear"]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cut:
    """How results are measured.

    Attributes:
        k: Results that are looked at.
        recall_k: The same for recall.
        relevant: The lowest grade of a relevant product.
        gain: What a grade g is worth: `exponential` 2^g - 1, `linear` g.
        lowest: The scale's lowest grade, from which g is counted: it is worth no more than what is unjudged.
    """

    k: int = 10
    recall_k: int = 50
    relevant: int = 2
    gain: Gain = "exponential"
    lowest: int = 0

    def worth(self, grades: Ints) -> Floats:
        """The gain of grades; what is unjudged is worth 0."""
        above = np.maximum(grades - self.lowest, 0).astype(np.float64)
        return 2**above - 1 if self.gain == "exponential" else above


def discounts(k: int) -> Floats:
    """What a rank counts: 1 / log2(rank + 1)."""
    return 1 / np.log2(np.arange(2, k + 2))


def ndcg(shown: Ints, judged: Ints, cut: Cut) -> float:
    """Discounted gain of the first k results, as a share of the best order's; in [0, 1].

    Source: Jarvelin and Kekalainen 2002, "Cumulated gain-based evaluation of IR techniques"; the discount of Burges et
    al. 2005, "Learning to Rank using Gradient Descent".
    """
    best = np.sort(cut.worth(judged))[::-1][: cut.k]
    ideal = float(best @ discounts(len(best)))
    first = cut.worth(shown[: cut.k])
    return float(first @ discounts(len(first))) / ideal if ideal else float("nan")


def precision(shown: Ints, judged: Ints, cut: Cut) -> float:
    """Relevant ones among the first k results, of k."""
    return float((shown[: cut.k] >= cut.relevant).sum() / cut.k) if _any(judged, cut) else float("nan")


def recall(shown: Ints, judged: Ints, cut: Cut) -> float:
    """The share of the relevant products that the first `recall_k` results hold."""
    hits = (shown[: cut.recall_k] >= cut.relevant).sum()
    return float(hits / (judged >= cut.relevant).sum()) if _any(judged, cut) else float("nan")


def reciprocal_rank(shown: Ints, judged: Ints, cut: Cut) -> float:
    """1 / the rank of the first relevant result; 0 where the first k have none."""
    hits = np.flatnonzero(shown[: cut.k] >= cut.relevant)
    return (float(1 / (hits[0] + 1)) if len(hits) else 0.0) if _any(judged, cut) else float("nan")


def nothing_relevant(shown: Ints, judged: Ints, cut: Cut) -> float:
    """1 where the first k results hold nothing relevant though there is something; else 0."""
    return float(not (shown[: cut.k] >= cut.relevant).any()) if _any(judged, cut) else float("nan")


def right_category(leaves: Ints, wanted: Ints, cut: Cut) -> float:
    """Cat@K: the share of the first k results whose leaf category is one of the query's relevant products'.

    `leaves` are the results' leaf categories, -1 where one has none: those are left out. `wanted` are those of the
    relevant products: what IKEA measures its semantic search by.
    """
    first = leaves[: cut.k]
    first = first[first >= 0]
    return float(np.isin(first, wanted).mean()) if len(first) and len(wanted) else float("nan")


def _any(judged: Ints, cut: Cut) -> bool:
    return bool((judged >= cut.relevant).any())


@dataclass(frozen=True)
class RetrievalMeasure:
    """A measure and how it is told."""

    name: str
    """With `{k}` or `{recall_k}`."""
    label: str
    better: Literal["high", "low"]
    compute: Callable[[Ints, Ints, Cut], float]

    def called(self, cut: Cut) -> str:
        """Its name with its depth, such as `ndcg@10`."""
        return self.name.format(k=cut.k, recall_k=cut.recall_k)


MEASURES = (
    RetrievalMeasure("ndcg@{k}", "NDCG@{k}", "high", ndcg),
    RetrievalMeasure("precision@{k}", "precision@{k}", "high", precision),
    RetrievalMeasure("recall@{recall_k}", "recall@{recall_k}", "high", recall),
    RetrievalMeasure("mrr@{k}", "MRR@{k}", "high", reciprocal_rank),
    RetrievalMeasure("nothing_relevant@{k}", "nothing relevant in {k}", "low", nothing_relevant),
)
CATEGORY = "cat@{k}"
