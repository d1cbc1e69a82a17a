"""How far a product's category fits its query's, as the run itself says: every audited pair votes for its category path
with the grade that label and engagement together expect of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from judge.run.flags import read_evidence
from judge.run.store import Run
from judge.text import category_path


@dataclass(frozen=True, slots=True)
class CategoryVote:
    """One pair's say on its query's categories."""

    candidate_id: str
    path: tuple[str, ...]
    """Category names, root first; empty where the product has none."""
    weight: float
    """In [0, 1]: the expected grade over the highest."""


def compared_path(text: str) -> tuple[str, ...]:
    """The names of a category's path, compared without case."""
    return tuple(" ".join(name.lower().split()) for name in category_path(text))


def category_fit(path: Sequence[str], votes: Sequence[CategoryVote]) -> float | None:
    """Share of the votes that a path agrees with, in [0, 1]; a vote counts as far as the paths run together.

    Null where the product has no path, or nothing else of the query has.
    """
    known = [vote for vote in votes if vote.path and vote.weight > 0]
    total = sum(vote.weight for vote in known)
    if not path or not total:
        return None
    return sum(vote.weight * _shared(path, vote.path) / len(vote.path) for vote in known) / total


def read_votes(run: Run) -> dict[str, list[CategoryVote]]:
    """What every audited pair says of its query's categories, by query."""
    evidence, values = read_evidence(run.path), run.manifest.values
    votes: dict[str, list[CategoryVote]] = {}
    sql = "SELECT e.query_id, e.candidate_id, p.candidate, e.posterior FROM evidence e JOIN pairs p USING (row)"
    for query_id, candidate_id, candidate, posterior in run.query(sql, evidence=evidence):
        expected = sum(p * (value - values[0]) for p, value in zip(posterior, values, strict=True))
        text = (candidate or {}).get("category") or ""
        vote = CategoryVote(candidate_id, compared_path(text), expected / (values[-1] - values[0]))
        votes.setdefault(query_id, []).append(vote)
    return votes


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return length
