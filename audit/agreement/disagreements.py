"""The pairs to look at first: where the two sides are far apart, people are of one mind, and the judge is sure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.agreement.comparison import GradedSide
from judge.ratings.panel import Panel

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RaterVote:
    """What one person gave."""

    rater: str
    grade: int
    clause: str | None


@dataclass(frozen=True)
class Disagreement:
    """A pair that the two sides grade differently."""

    query_id: str
    query: str
    candidate_id: str
    title: str | None
    description: str | None
    reference: float | None
    """Null where people alone are compared: the votes then say all."""
    judged: float | None
    confidence: float | None
    """The judge's probability of its grade."""
    clause: str | None
    """Gold's clause, or else the one that most people name."""
    votes: Sequence[RaterVote]


def instructive(
    panel: Panel, reference: GradedSide | None, judged: GradedSide | None, most: int = 20
) -> list[Disagreement]:
    """At most `most` disagreements, the most instructive first, at most two of one query while others are left.

    With a judge: the distance between the grades, times the share of people who stand with the reference, times the
    judge's confidence. Without: the spread of people's grades, then how evenly they are split.
    """
    votes = (~np.isnan(panel.grades)).sum(axis=0)
    if judged is not None and reference is not None:
        gap = np.abs(judged.grades - reference.grades)
        with_reference = (panel.grades == reference.grades).sum(axis=0)
        united = np.where(votes > 0, with_reference / np.maximum(votes, 1), 1.0)
        # Of a grade that came without probabilities, nobody knows that the judge was not sure.
        sure = 1.0 if judged.probabilities is None else np.nan_to_num(judged.probabilities.max(axis=1), nan=1.0)
        weight = np.nan_to_num(gap * (0.25 + united) * sure)
    else:
        spread = np.nanmax(np.where(votes > 0, panel.grades, 0), axis=0) - np.nanmin(
            np.where(votes > 0, panel.grades, 0), axis=0
        )
        weight = np.where(votes >= 2, spread + np.nanvar(np.where(votes > 0, panel.grades, 0), axis=0), 0)
    order = [int(unit) for unit in np.argsort(-weight, kind="stable") if weight[unit] > 0]
    return [_shown(panel, unit, reference, judged) for unit in _spread_out(panel, order, most)]


def _spread_out(panel: Panel, order: Sequence[int], most: int, limit: int = 2) -> list[int]:
    seen: Counter[str] = Counter()
    first: list[int] = []
    rest: list[int] = []
    for unit in order:
        query = panel.units[unit].query_id
        (first if seen[query] < limit else rest).append(unit)
        seen[query] += 1
        if len(first) == most:
            break
    return (first + rest)[:most]


def _shown(panel: Panel, unit: int, reference: GradedSide | None, judged: GradedSide | None) -> Disagreement:
    shown = panel.units[unit]
    votes = [
        RaterVote(rater, int(panel.grades[index, unit]), panel.clauses.get((index, unit)))
        for index, rater in enumerate(panel.raters)
        if not np.isnan(panel.grades[index, unit])
    ]
    named = Counter(vote.clause for vote in votes if vote.clause)
    shares = None if judged is None or judged.probabilities is None else judged.probabilities[unit]
    sure = None if shares is None or np.isnan(shares).any() else float(shares.max())
    return Disagreement(
        query_id=shown.query_id,
        query=shown.query,
        candidate_id=shown.candidate_id,
        title=shown.facets.get("title"),
        description=shown.facets.get("description"),
        reference=None if reference is None or judged is None else float(reference.grades[unit]),
        judged=None if judged is None else float(judged.grades[unit]),
        confidence=sure,
        clause=panel.clauses.get((-1, unit)) or (named.most_common(1)[0][0] if named else None),
        votes=votes,
    )
