"""The loss that a configuration names, as the module that sentence-transformers' Trainer calls."""

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

from judge.errors import EngineError
from retriever.baselines import cosent, multiple_negatives
from retriever.circle import multiclass_circle
from retriever.config import RetrieverConfig
from retriever.supcon import graded_supcon

Loss = Callable[[Any, Any], Any]
Score = Callable[[Any, Any], Any]
SEEN = 64
"""Steps from which the scale of scores is read."""


def loss_of(config: RetrieverConfig, lowest: int, targets: Mapping[int, float] | None = None) -> Loss:
    """A function of scores and grades, both of shape (Q, D).

    Args:
        config: Its name and its numbers.
        lowest: The set's lowest grade.
        targets: Where circle loss wants each grade.
    """
    if config.loss == "supcon":
        return lambda scores, grades: graded_supcon(scores, grades, lowest, config.temperature)
    if config.loss == "circle":
        assert targets is not None
        return lambda scores, grades: multiclass_circle(scores, grades, targets, config.margin, config.gamma)
    if config.loss == "mnrl":
        return lambda scores, grades: multiple_negatives(scores, grades, lowest, config.scale)
    return lambda scores, grades: cosent(scores, grades, config.scale)


def vectors(model: Any, features: list[dict[str, Any]]) -> tuple[Any, list[Any]]:
    """A model's outputs for a step's queries, and for its documents piece by piece."""
    return model(features[0], task="query"), [model(piece, task="document") for piece in features[1:]]


def mean_scores(
    model: Any, score: Score, made: Callable[[list[Mapping[str, int]]], Any], steps: int, grades: Collection[int]
) -> dict[int, float]:
    """The mean score of each grade's pairs under a model as it is, over the first steps of a training: `SEEN`, and as
    many more as it takes until every grade has occurred.

    Args:
        model: Of sentence-transformers.
        score: See `objective`.
        made: What turns a step's number into tensors.
        steps: How many there are.
        grades: Those of the set; one that occurs in no step has no mean.
    """
    import torch

    sums: dict[int, list[float]] = {}
    model.eval()
    for step in range(steps):
        if step >= SEEN and sums.keys() >= set(grades):
            break
        batch = made([{"step": step}])
        with torch.inference_mode():
            found = score(*vectors(model, features(batch, model.device)))
        for grade in (g for g in batch["label"].unique().tolist() if g >= 0):
            sums.setdefault(int(grade), []).extend(found.cpu()[batch["label"] == grade].tolist())
    return {grade: sum(values) / len(values) for grade, values in sums.items()}


def features(batch: Mapping[str, Any], device: Any) -> list[dict[str, Any]]:
    """A step's tensors, one mapping for the queries and one for each piece of documents, as the Trainer deals them."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in batch.items():
        name, _, rest = key.partition("_")
        if rest:
            found.setdefault(name, {})[rest] = value.to(device) if hasattr(value, "to") else value
    return list(found.values())


def objective(model: Any, loss: Loss, score: Score, begun: list[float]) -> Any:
    """A module of features and grades, which adds the loss of each step to `begun`.

    Args:
        model: What turns features into vectors.
        loss: See `loss_of`.
        score: From the model's outputs for queries, and for documents piece by piece, to scores of shape (Q, D).
        begun: Losses of the steps so far.
    """
    import torch

    class Objective(torch.nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, features: list[dict[str, Any]], labels: Any) -> Any:
            outputs = vectors(self.model, features)
            with torch.autocast(labels.device.type, enabled=False):
                found = loss(score(*outputs), labels)
            value = float(found.detach())
            if not math.isfinite(value):
                raise EngineError(
                    f"the training diverged: at step {len(begun) + 1:,} its loss is not a number",
                    "lower learning_rate or clip in --config, and choose another --out",
                )
            begun.append(value)
            return found

    return Objective()
