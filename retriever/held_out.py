"""How a model and its start order the judged documents of queries that were not learned from."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from judge.run.seen import Seen
from retriever.config import RetrieverConfig
from retriever.groups import Groups, has_split, read_groups
from retriever.intervals import differences, means
from retriever.measures import Cut, Floats, ndcg
from retriever.objective import Score, features, vectors
from retriever.steps import Steps
from retriever.trained import Figure, HeldOut
from retriever.trainer import collate

SPLITS = ("test", "validation")


@dataclass(frozen=True)
class Apart:
    """Queries that are kept apart."""

    groups: Groups
    learned: int | None
    """Those of the split that are none of them, since some training learned from them; null where it is not known."""


def read_held_out(path: Path, seen: Seen) -> Apart | None:
    """The split of a set that is kept apart, without what was learned from; null where nothing is left.

    Raises:
        InputError: It is damaged.
    """
    split = next((name for name in SPLITS if has_split(path, name)), None)
    if split is None:
        return None
    found = read_groups(path, split, least=1)
    learned = seen.learned_from([group.query for group in found.groups])
    kept = [group for group, known in zip(found.groups, learned, strict=True) if not known]
    grades = Counter(document.grade for group in kept for document in group.documents)
    left = replace(found, groups=kept, grades=dict(sorted(grades.items())))
    return Apart(left, None if seen.unknown else sum(learned)) if kept else None


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


def compared(apart: Apart, start: Floats, trained: Floats) -> HeldOut:
    """Both with their intervals, and their difference query by query."""
    both = means({"start": start, "trained": trained})
    gap = differences({"ndcg": trained}, {"ndcg": start})["ndcg"]
    told = [
        Figure(value=mean.value, low=mean.low, high=mean.high, reason=mean.reason)
        for mean in (both["start"], both["trained"], gap)
    ]
    return HeldOut(
        split=apart.groups.split,
        queries=len(start),
        learned=apart.learned,
        pairs=apart.groups.pairs,
        start=told[0],
        trained=told[1],
        difference=told[2],
        verdict=gap.verdict,
    )
