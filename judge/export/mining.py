"""Graded negatives: within a query, a lower grade against a higher one. Which, depends on the query's own rows alone.

A row becomes a negative only where its grade is sure, it is not flagged and undecided, and no row of the query with the
same text has a grade as high as the positive's: a copy of a good product is no bad one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from judge.export.selection import Negatives

Ints = npt.NDArray[np.int64]

LONELY = "no pair of another grade in its query"
DOUBTFUL = "too uncertain or contested for a negative"
FEW = "fewer negatives than asked for"
SURPLUS = "more negatives than asked for"


@dataclass(frozen=True)
class Query:
    """The exported rows of one query; arrays aligned."""

    grade: Ints
    able: npt.NDArray[np.bool_]
    """Whether the row may be a negative, by itself."""
    text: Ints
    """Equal numbers stand for equal texts."""


def mine(query: Query, rules: Negatives, *, exact: bool) -> Iterator[tuple[int, list[int]]]:
    """Each positive with its negatives, as places in the query's rows.

    Args:
        query: The rows, in a stable order.
        rules: How many negatives, and from which grades.
        exact: Whether positives with fewer negatives than `rules.count` are passed over.
    """
    best = {text: int(query.grade[query.text == text].max()) for text in np.unique(query.text).tolist()}
    highest = np.array([best[text] for text in query.text.tolist()])
    below: dict[int, list[list[int]]] = {}
    for turn, positive in enumerate(np.argsort(-query.grade, kind="stable").tolist()):
        grade = int(query.grade[positive])
        if rules.positives is not None and grade not in rules.positives:
            continue
        if grade not in below:
            below[grade] = _levels(query, query.able & (highest < grade), rules)
        found = _pick(below[grade], rules, turn * rules.count)
        if found and (len(found) == rules.count or not exact):
            yield positive, found


def _levels(query: Query, usable: npt.NDArray[np.bool_], rules: Negatives) -> list[list[int]]:
    """The usable rows of each grade, in the order in which the grades are asked for."""
    grades = sorted(set(query.grade[usable].tolist()), reverse=rules.mix != "far")
    return [np.flatnonzero(usable & (query.grade == grade)).tolist() for grade in grades]


def _pick(levels: list[list[int]], rules: Negatives, begin: int) -> list[int]:
    """Up to `count` rows. Positives begin at different ones, so that all of them come to be used."""
    count = rules.count
    turned = [[level[(begin + i) % len(level)] for i in range(min(count, len(level)))] for level in levels]
    if rules.mix == "even":
        return [level[i] for i in range(count) for level in turned if i < len(level)][:count]
    return [row for level in turned for row in level][:count]


def why_unused(query: Query, used: npt.NDArray[np.bool_], rules: Negatives) -> Iterator[str]:
    """For each row that is in no record, why, in the order of the rows."""
    lowest, highest = int(query.grade.min()), int(query.grade.max())
    for place in np.flatnonzero(~used).tolist():
        grade = int(query.grade[place])
        positive = grade > lowest and (rules.positives is None or grade in rules.positives)
        if lowest == highest:
            yield LONELY
        elif positive:
            yield FEW if query.able[query.grade < grade].any() else DOUBTFUL
        elif not query.able[place]:
            yield DOUBTFUL
        else:
            yield SURPLUS
