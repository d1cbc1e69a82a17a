"""A grade that is suggested for a pair: what tools in which people annotate are given."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What an audit says against a label."""

    label: int
    types: Sequence[str]
    evidence: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A grade that is suggested for a pair."""

    query_id: str
    query: str
    candidate_id: str
    candidate: str
    """What people read of it."""
    grade: int
    author: str
    score: float | None
    """In [0, 1]; null where there is none, as of what people gave."""
    against: Contradiction | None = None
    """Of a pair of the review queue."""
