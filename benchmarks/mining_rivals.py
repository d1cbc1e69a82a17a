"""sentence-transformers' miner of hard negatives, over vectors that are at hand: miners differ, and encoders do not."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Variant:
    """How `mine_hard_negatives` is asked."""

    name: str
    options: dict[str, float] = field(default_factory=dict)


VARIANTS = (
    Variant("no margin"),
    Variant("relative_margin .05", {"relative_margin": 0.05}),
    Variant("relative_margin .2", {"relative_margin": 0.2}),
    Variant("absolute_margin .1", {"absolute_margin": 0.1}),
)


class Vectors:
    """What the miner asks of a model, answered with vectors that were computed before."""

    def __init__(self, documents: dict[str, np.ndarray], queries: dict[str, np.ndarray]) -> None:
        import torch

        self._documents, self._queries, self.device = documents, queries, torch.device("cpu")

    def encode_document(self, texts: Sequence[str], **_: Any) -> np.ndarray:
        """Shape (N, D)."""
        return np.stack([self._documents[text] for text in texts])

    def encode_query(self, texts: Sequence[str], **_: Any) -> np.ndarray:
        """Shape (N, D)."""
        return np.stack([self._queries[text] for text in texts])

    def similarity(self, one: Any, other: Any) -> Any:
        """Cosines; the vectors have length 1."""
        import torch

        return torch.as_tensor(one) @ torch.as_tensor(other).T

    def similarity_pairwise(self, one: Any, other: Any) -> Any:
        """Cosines, row by row."""
        import torch

        return (torch.as_tensor(one) * torch.as_tensor(other)).sum(dim=1)


def rival(
    variant: Variant,
    texts: tuple[Sequence[str], Sequence[str], Sequence[int]],
    vectors: tuple[np.ndarray, np.ndarray],
    top: int,
) -> list[tuple[int, int]]:
    """(query's number, product's place) of what it mines.

    Args:
        variant: How.
        texts: Titles of products, queries, and the place of each query's positive.
        vectors: Of the titles and of the queries.
        top: Negatives of a query at most, and how far down it looks.
    """
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    titles, queries, positives = texts
    place: dict[str, int] = {}
    for at, title in enumerate(titles):
        place.setdefault(title, at)
    known = [np.asarray(of, np.float32) for of in vectors]
    model: Any = Vectors(dict(zip(titles, known[0], strict=True)), dict(zip(queries, known[1], strict=True)))
    pairs = Dataset.from_dict({"query": list(queries), "positive": [titles[at] for at in positives]})
    mined = mine_hard_negatives(
        pairs,
        model,
        corpus=list(titles),
        range_max=top,
        num_negatives=top,
        output_format="labeled-list",
        verbose=False,
        **variant.options,
    )
    number = {query: at for at, query in enumerate(queries)}
    return [(number[row["query"]], place[text]) for row in mined for text in row["positive"][1:]]
