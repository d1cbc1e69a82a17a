"""What each step of a training sees: which queries, which of their documents, which typing errors.

All of it follows from the seed and the step's number, so that a training that was killed and resumes from its
checkpoint takes the very steps that it would have taken.
"""

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from judge.words.noise import misspell, vocabulary
from retriever.config import RetrieverConfig
from retriever.groups import Document, Group
from retriever.known import Grades, Known, distinct


@dataclass(frozen=True)
class Step:
    """One step: queries, documents (each text once), and their grades of shape (queries, documents)."""

    queries: Sequence[str]
    documents: Sequence[Document]
    grades: Grades


class Steps(Sequence[Step]):
    """Every step of a training, made when it is asked for.

    Args:
        groups: The set's queries.
        config: How.
    """

    def __init__(self, groups: Sequence[Group], config: RetrieverConfig) -> None:
        self.config = config
        self.known = Known(groups, soft=config.soft)
        lowest = min(document.grade for group in groups for document in group.documents)
        said = [(group, unusable(group, config, lowest)) for group in groups]
        self.groups = [group for group, why in said if why is None]
        self.unused = dict(Counter(why for _, why in said if why is not None))
        """Queries that teach nothing under this loss, by reason; their grades are known all the same."""
        self._words = vocabulary([d.text for group in groups for d in group.documents]) if config.misspell else ()
        self.epoch_steps = math.ceil(len(self.groups) / config.queries)

    def __len__(self) -> int:
        return self.epoch_steps * self.config.epochs

    def __getitem__(self, step: int | slice) -> Step:  # type: ignore[override]
        assert isinstance(step, int)
        epoch, place = divmod(step, self.epoch_steps)
        order = list(range(len(self.groups)))
        random.Random(f"{self.config.seed} {epoch}").shuffle(order)  # noqa: S311 nothing is kept secret with it
        # As even as can be: no step is left with a query or two.
        size = len(order) / self.epoch_steps
        chosen = order[round(place * size) : round((place + 1) * size)]
        draws = [random.Random(f"{self.config.seed} {epoch} {at}") for at in chosen]  # noqa: S311
        groups = [replace(self.groups[at], documents=()) for at in chosen]
        for number, (at, draw) in enumerate(zip(chosen, draws, strict=True)):
            groups[number] = replace(groups[number], documents=some(self.groups[at], self.config.documents, draw))
        documents = distinct(groups)
        grades = self.known.grades(groups, documents, blind=self.config.blind)
        return Step([self._typed(g, d) for g, d in zip(groups, draws, strict=True)], documents, grades)

    def _typed(self, group: Group, draw: random.Random) -> str:
        """The query as it was typed."""
        if draw.random() >= self.config.misspell:
            return group.query
        return misspell(group.query, draw, locale=group.locale, known=self._words) or group.query


def some(group: Group, most: int, draw: random.Random) -> tuple[Document, ...]:
    """At most so many documents of a query, drawn; every grade that it has is among them, as far as there is room."""
    if len(group.documents) <= most:
        return group.documents
    order = draw.sample(group.documents, len(group.documents))
    first: dict[int, Document] = {}
    for document in order:
        first.setdefault(document.grade, document)
    # Rare grades first: of a query with more grades than room, none is always the one left out.
    leading = list(first.values())
    rest = [document for document in order if document is not first[document.grade]]
    return tuple([*leading, *rest][:most])


def unusable(group: Group, config: RetrieverConfig, lowest: int) -> str | None:
    """Why a query says nothing under a loss; null where it does."""
    grades = {document.grade for document in group.documents}
    if config.loss == "cosent":
        return None  # it compares pairs of different queries, too
    if config.loss in ("supcon", "mnrl") and max(grades) <= lowest:
        return "no document above the lowest grade"
    if len(grades) == 1 and not config.blind:
        return "one grade alone"
    return None
