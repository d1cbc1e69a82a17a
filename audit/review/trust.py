"""How reliable a judge is on a run's pairs: its grades against people's ratings and decisions."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from audit.review.rejudge import Answer
from audit.review.weighing import Reliability, measured
from judge.errors import InputError
from judge.ratings.panel import Panel
from judge.run.decisions import Decisions
from judge.run.lookup import find_pairs, key_table
from judge.run.store import Run

MOST = 300
"""Rated pairs that a judge is asked about, at most, spread evenly over the run."""

Pair = tuple[str, str]


@dataclass(frozen=True)
class RatedPairs:
    """Pairs of a run that people rated."""

    votes: Mapping[Pair, Mapping[int, float]]
    """The grades that a pair has of people, with the share of the raters; adjudicated ones alone where there are."""
    rows: frozenset[int]
    """Their input rows."""


def find_rated(run: Run, panel: Panel) -> RatedPairs:
    """Rated pairs that a run has, as `judge.run.lookup` finds them; `MOST` of them where there are more.

    Raises:
        InputError: It has none of them.
    """
    with run.database(keys=key_table([(unit.query_id, unit.query, unit.candidate_id) for unit in panel.units])) as db:
        find_pairs(db)
        found = db.execute("""SELECT f.place, p.row, p.query_id, p.candidate_id FROM found f JOIN pairs p USING (row)
            WHERE p.skip IS NULL ORDER BY p.row""").fetchall()
    given: dict[int, dict[int, float]] = {}
    for place, *_ in found:
        gold = [] if panel.gold is None else [panel.gold[place]]
        grades = [int(g) for g in gold if not np.isnan(g)] or [
            int(g) for g in panel.grades[:, place] if not np.isnan(g)
        ]
        given[place] = {grade: grades.count(grade) / len(grades) for grade in set(grades)}
    rated = [each for each in found if given[each[0]]]
    if not rated:
        raise InputError(
            f"{panel.file}: none of its {len(panel.units):,} rated pairs is in {run.path}",
            "name the columns with the run's ids with --map query_id=COLUMN and --map candidate_id=COLUMN",
        )
    chosen = [rated[at] for at in np.linspace(0, len(rated) - 1, min(MOST, len(rated))).round().astype(int)]
    votes = {(query_id, candidate_id): given[place] for place, _, query_id, candidate_id in chosen}
    return RatedPairs(votes, frozenset(row for _, row, *_ in chosen))


def reliability(run: Run, author: str, answers: Mapping[Pair, Answer], rated: RatedPairs | None) -> Reliability:
    """A judge's confusion, from ratings, and from people's decisions on pairs that it gave a grade.

    Args:
        run: The run.
        author: The judge, as its opinions name it.
        answers: What it says of pairs now.
        rated: What people rated.
    """
    values = list(run.manifest.values)
    at = {value: place for place, value in enumerate(values)}
    decisions = Decisions(run.path)
    given: dict[Pair, int | None] = {d.pair: d.said_grade for d in decisions if d.author == author}
    given |= {pair: answer.grade for pair, answer in answers.items()}
    votes = dict(rated.votes) if rated else {}
    used = [pair for pair in votes if given.get(pair) in at]
    decided: dict[Pair, Mapping[int, float]] = {}
    for pair, decision in decisions.settled().items():
        final = decision.given
        if decision.source != "judge" and pair not in votes and given.get(pair) in at and final in at:
            decided[pair] = {final: 1.0}
    both = decided | {pair: votes[pair] for pair in used}
    seen = [
        (at[grade], at[own], weight)
        for pair, shares in both.items()
        for grade, weight in shares.items()
        if (own := given[pair]) is not None
    ]
    return Reliability(measured(seen, len(values)), len(used), len(decided))
