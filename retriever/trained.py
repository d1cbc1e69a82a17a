"""`retriever.json`: what a trained model's folder says of itself. Written last: a folder without it is unfinished."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from judge.documents import Kind, load
from judge.errors import ModelError
from judge.records import Record
from judge.run.seen import Seen, read_seen

FILE = "retriever.json"
DAMAGED = Kind("train it again", ModelError)


class Ancestor(Record):
    """One training in the line that led to a model."""

    start: str
    """What it started from."""
    start_digest: str
    loss: str
    late: bool
    data: str
    """Digest of the set."""


class Data(Record):
    """What was learned from."""

    digest: str
    queries: int
    grades: Mapping[int, int]
    """Pairs by grade."""
    unused: Mapping[str, int]
    """Queries that teach nothing under the loss, by reason."""
    contradicted: int
    """Pairs of a query and a text that have two grades, and are ignored."""
    hard: Mapping[str, int] = {}
    """Pairs that mining found hard: `hard_negative`, `hard_positive`."""


class Figure(Record):
    """A mean over queries with its interval of 95%, or why there is none."""

    value: float | None
    low: float | None
    high: float | None
    reason: str | None = None


class HeldOut(Record):
    """NDCG@10 over the judged documents alone."""

    split: str
    queries: int
    learned: int | None = 0
    """Queries of the split that are left out since this training, or one before, learned from them; null where one
    before does not say what it learned from."""
    pairs: int
    start: Figure
    trained: Figure
    difference: Figure
    """Of the model less its start, query by query."""
    verdict: str
    """better, worse, equal or cannot tell."""


class Trained(Record):
    """A trained retriever."""

    lineage: tuple[Ancestor, ...]
    """The trainings before this one, earliest first."""
    start: str
    start_digest: str
    base: str | None
    """The name on the Hub of what it started from, where it is known to have one."""
    late: bool
    loss: str
    targets: Mapping[int, float] | None
    """Where circle loss wanted each grade."""
    data: Data
    config: Mapping[str, Any]
    steps: int
    weights: int
    """Weights that learned."""
    losses: tuple[float, ...]
    """Mean loss of each epoch."""
    held_out: HeldOut | None = None
    """On the split that is kept apart; null where the set has none."""
    seconds: float
    """Of the last sitting."""
    device: str
    versions: Mapping[str, str]
    created: str

    @property
    def ancestor(self) -> Ancestor:
        """This training, as the line of a later one has it."""
        return Ancestor(
            start=self.start, start_digest=self.start_digest, loss=self.loss, late=self.late, data=self.data.digest
        )


def is_trained(folder: Path) -> bool:
    """Whether a folder holds a finished training."""
    return (folder / FILE).is_file()


def seen_by(folder: Path) -> Seen:
    """What the trainings learned from that led to the model of a folder: nothing where it was not trained here."""
    return read_seen(folder) or Seen(unknown=is_trained(folder))


def read_trained(folder: Path) -> Trained:
    """What a folder says of itself.

    Raises:
        ModelError: It is damaged.
    """
    return load(folder / FILE, Trained, DAMAGED)
