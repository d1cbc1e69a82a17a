"""How a model and its start order the judged documents of queries that were not learned from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from retriever.config import RetrieverConfig
from retriever.groups import Groups, has_split, read_groups
from retriever.intervals import differences, means
from retriever.measures import Cut, Floats, ndcg
from retriever.objective import Score, features, vectors
from retriever.steps import Steps
from retriever.trained import Figure, HeldOut
from retriever.trainer import collate

SPLITS = ("test", "validation")


def read_held_out(path: Path) -> Groups | None:
    """The split of a set that is kept apart; null where there is none.

    Raises:
        InputError: It is damaged.
    """
    split = next((name for name in SPLITS if has_split(path, name)), None)
    return read_groups(path, split, least=1) if split else None


def measure(model: Any, score: Score, groups: Groups, config: RetrieverConfig, lowest: int) -> Floats:
    """NDCG@10 of each query, in an order that follows from the seed; NaN where no grade is above the lowest."""
    import torch

    # Every list is whole, read as far as in searching, and asked about once; grades alone count.
    whole = {"loss": "cosent", "soft": False, "misspell": 0.0, "epochs": 1, "documents": 10**6}
    steps = Steps(groups.groups, config.changed(**whole))
    made: Callable[[list[dict[str, int]]], Any] = collate(model, steps, 0)  # type: ignore[assignment]
    found, cut = [], Cut(lowest=lowest)
    model.eval()
    for step in range(len(steps)):
        with torch.inference_mode():
            scores = score(*vectors(model, features(made([{"step": step}]), model.device))).float().cpu().numpy()
        for row, grades in zip(scores, steps[step].grades, strict=True):
            judged = grades >= 0
            own = grades[judged].astype(np.int64)
            found.append(ndcg(own[np.argsort(-row[judged], kind="stable")], own, cut))
    return np.array(found)


def compared(groups: Groups, start: Floats, trained: Floats) -> HeldOut:
    """Both with their intervals, and their difference query by query."""
    both = means({"start": start, "trained": trained})
    gap = differences({"ndcg": trained}, {"ndcg": start})["ndcg"]
    told = [
        Figure(value=mean.value, low=mean.low, high=mean.high, reason=mean.reason)
        for mean in (both["start"], both["trained"], gap)
    ]
    return HeldOut(
        split=groups.split,
        queries=len(start),
        pairs=groups.pairs,
        start=told[0],
        trained=told[1],
        difference=told[2],
        verdict=gap.verdict,
    )
