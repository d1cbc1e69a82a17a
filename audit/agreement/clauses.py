"""Which rule of the guideline is behind a disagreement."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from judge.ratings.panel import Panel
from judge.statistics.intervals import Estimate
from judge.statistics.shares import share_by_query
from judge.words.guideline import Guideline

Floats = npt.NDArray[np.float64]

EXAMPLES = 3
"""Units shown for a clause."""


@dataclass(frozen=True)
class ClauseReport:
    """How a clause is used, and how well the two sides agree where it is."""

    clause: str
    rule: str | None
    """The guideline's words; null for a clause that it does not have."""
    highest: int | None
    """The best grade that the guideline allows under it."""
    invoked: int
    """Ratings that name it, gold's among them."""
    n: int
    """Pairs on which anybody names it."""
    agreement: Estimate
    """Share of those pairs on which the two sides agree."""
    people: Estimate
    """Share of rater pairs that agree there; the same figure where people alone are compared."""
    over: int
    """Ratings that name it and yet give more than it allows."""
    examples: Sequence[int]
    """Units where it was invoked and the sides disagree."""


@dataclass(frozen=True)
class Confused:
    """Two clauses that raters name for the same pair."""

    first: str
    second: str
    n: int
    """Pairs of raters and units."""
    grades_differ: int
    """Of those, how many gave different grades too."""
    example: int
    """A unit, one with different grades if there is one."""


def report_clauses(panel: Panel, hits: Floats, people: Floats, guideline: Guideline) -> list[ClauseReport]:
    """One report a clause that was invoked, those behind most disagreements first.

    `hits` as for segments; `people` likewise, for people among themselves.
    """
    known = {clause.id: clause for clause in guideline.clauses}
    used: Mapping[str, list[tuple[int, int]]] = defaultdict(list)
    for (rater, unit), clause in panel.clauses.items():
        used[clause].append((rater, unit))
    found = []
    for name, places in used.items():
        units = np.array(sorted({unit for _, unit in places}))
        rule = known.get(name)
        missed = [int(u) for u in units if hits[u] < 1]
        over = sum(rule is not None and _grade(panel, rater, unit) > rule.highest for rater, unit in places)
        found.append(
            ClauseReport(
                clause=name,
                rule=rule.rule if rule else None,
                highest=rule.highest if rule else None,
                invoked=len(places),
                n=len(units),
                agreement=_agreement(panel, hits, units),
                people=_agreement(panel, people, units),
                over=over,
                examples=sorted(missed, key=lambda u: hits[u])[:EXAMPLES],
            )
        )
    return sorted(found, key=lambda c: -c.n * (1 - (1.0 if c.agreement.value is None else c.agreement.value)))


def confused_clauses(panel: Panel, most: int = 10) -> list[Confused]:
    """The pairs of clauses that different raters named for the same pair: those that most often went with different
    grades first, then those named most often."""
    named: Mapping[int, list[tuple[int, str]]] = defaultdict(list)
    for (rater, unit), clause in panel.clauses.items():
        if rater >= 0:
            named[unit].append((rater, clause))
    counts: Counter[tuple[str, str]] = Counter()
    differ: Counter[tuple[str, str]] = Counter()
    example: dict[tuple[str, str], int] = {}
    for unit, votes in sorted(named.items()):
        for (rater, clause), (other, another) in combinations(votes, 2):
            if clause == another:
                continue
            key = (min(clause, another), max(clause, another))
            counts[key] += 1
            if _grade(panel, rater, unit) != _grade(panel, other, unit):
                if not differ[key]:
                    example[key] = unit
                differ[key] += 1
            example.setdefault(key, unit)
    first = sorted(counts, key=lambda key: (-differ[key], -counts[key], key))[:most]
    return [Confused(*key, counts[key], differ[key], example[key]) for key in first]


def _grade(panel: Panel, rater: int, unit: int) -> float:
    if rater < 0:
        return float("nan") if panel.gold is None else float(panel.gold[unit])
    return float(panel.grades[rater, unit])


def _agreement(panel: Panel, hits: Floats, units: npt.NDArray[np.int64]) -> Estimate:
    known = units[~np.isnan(hits[units])]
    if not len(known):
        return Estimate(None, None, None, "none of these pairs has both sides")
    return share_by_query(panel.queries[known], hits[known])
