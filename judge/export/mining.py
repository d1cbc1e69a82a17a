"""Graded negatives: within a query, a lower grade against a higher one. Which, depends on the query's own rows alone.

A row becomes a positive or a negative only where its grade is sure and it is not flagged and undecided; a negative only
where no row of the query with the same text has a higher grade, nor the product itself under another spelling of the
query: a copy of a good product is no bad one.

Everything is done for many queries at once, in as many steps as there are negatives times grades.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from judge.export.selection import Negatives

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

LONELY = "no pair of another grade in its query"
DOUBTFUL = "too uncertain or contested to be set against others"
EASY = "not hard, nor set against a hard one"
UNOPPOSED = "no positive above it in its query"
FEW = "fewer negatives than asked for"
SURPLUS = "more negatives than asked for"


@dataclass(frozen=True)
class Rows:
    """Rows of whole queries, a query's rows together; arrays aligned."""

    query: Ints
    """The query's number, from 0 without gaps, ascending."""
    level: Ints
    """The grade's place among the guideline's grades, from 0."""
    able: Flags
    """Whether the row may be a negative, by itself."""
    text: Ints
    """Equal numbers stand for equal texts."""
    levels: int
    """How many grades the guideline has."""
    hard: Flags | None = None
    """Which rows are hard, as positives or negatives; null where that does not count."""
    which: Literal["any", "first", "only"] = "any"
    """Hard negatives as any other, before the others of their grade, or, of a positive that is not hard, alone."""

    @property
    def hardness(self) -> Flags:
        """Which rows are hard, where that counts."""
        none = np.zeros(len(self.query), dtype=np.bool_)
        return none if self.hard is None or self.which == "any" else self.hard

    @property
    def usable(self) -> Flags:
        """Whether the row may be a negative among the others of its query."""
        _, same = np.unique(self.query * (int(self.text.max()) + 1) + self.text, return_inverse=True)
        highest = np.zeros(len(same), dtype=np.int64)
        np.maximum.at(highest, same, self.level)
        return np.asarray(self.able & (self.level == highest[same]), dtype=np.bool_)


def mine(rows: Rows, rules: Negatives, positives: Flags) -> tuple[Ints, Ints]:
    """Positives and their negatives, as places in the rows.

    Args:
        rows: The rows, in a stable order.
        rules: How many negatives, and from which grades.
        positives: Which rows may be positives.

    Returns:
        Shapes (P,) and (P, `rules.count`): by query, the highest grades first; -1 where there are fewer negatives.
    """
    usable, is_hard = np.flatnonzero(rows.usable), rows.hardness
    # The usable rows by query and grade, hard ones first, and where each query's of each grade begin.
    slot = rows.query * rows.levels + rows.level
    pool = usable[np.lexsort((~is_hard[usable], slot[usable]))]
    slots = (int(rows.query[-1]) + 1) * rows.levels
    sizes = np.bincount(slot[usable], minlength=slots)
    hard_sizes = np.bincount(slot[usable][is_hard[usable]], minlength=slots)
    begins = np.concatenate([[0], np.cumsum(sizes)[:-1]])

    order = np.lexsort((-rows.level, rows.query))
    first = np.flatnonzero(np.append(True, np.diff(rows.query[order]) != 0))
    turn = np.arange(len(order)) - np.repeat(first, np.diff(np.append(first, len(order))))
    wanted = positives[order]
    positive, turn = order[wanted], turn[wanted]

    negatives = np.full((len(positive), rules.count), -1)
    filled = np.zeros(len(positive), dtype=np.int64)
    for level, step in _steps(rules, rows.levels):
        group = rows.query[positive] * rows.levels + level
        there = np.where((rows.which == "only") & ~is_hard[positive], hard_sizes[group], sizes[group])
        takes = (level < rows.level[positive]) & (step < there) & (filled < rules.count)
        at = group[takes]
        # Positives begin at different rows, so that all of them come to be used: first of the hard, then of the others.
        several, hard = turn[takes] * rules.count + step, hard_sizes[at]
        others = hard + (several - hard) % np.maximum(sizes[at] - hard, 1)
        place = begins[at] + np.where(step < hard, several % np.maximum(hard, 1), others)
        negatives[takes, filled[takes]] = pool[place]
        filled[takes] += 1
    return positive, negatives


def _steps(rules: Negatives, levels: int) -> list[tuple[int, int]]:
    """(grade's place, which of its rows) in the order in which negatives are asked for."""
    below = range(levels - 1) if rules.mix == "far" else range(levels - 2, -1, -1)
    if rules.mix == "even":
        return [(level, step) for step in range(rules.count) for level in below]
    return [(level, step) for level in below for step in range(rules.count)]


def why_unused(rows: Rows, used: Flags, positives: Flags, served_by: Flags) -> dict[str, int]:
    """How many rows are in no record, by reason; `served_by` are the positives that are in one."""
    count = int(rows.query[-1]) + 1
    lowest, highest, best = np.full(count, rows.levels), np.full(count, -1), np.full(count, -1)
    lowest_usable = np.full(count, rows.levels)
    np.minimum.at(lowest, rows.query, rows.level)
    np.maximum.at(highest, rows.query, rows.level)
    reached = np.full(count, -1)
    np.maximum.at(best, rows.query[positives], rows.level[positives])
    np.maximum.at(reached, rows.query[served_by], rows.level[served_by])
    np.minimum.at(lowest_usable, rows.query[rows.usable], rows.level[rows.usable])
    lonely = (lowest == highest)[rows.query]
    above = positives & (rows.level > lowest[rows.query])
    served = lowest_usable[rows.query] < rows.level
    spare = ~lonely & ~above & rows.usable
    opposed, needed = best[rows.query] > rows.level, reached[rows.query] > rows.level
    easy = (rows.which == "only") & ~rows.hardness & ((~lonely & above & served) | (spare & opposed)) & ~used
    used = used | easy
    reasons = {
        LONELY: lonely,
        FEW: (~lonely & above & served) | (spare & opposed & ~needed),
        DOUBTFUL: ~lonely & ((above & ~served) | (~above & ~rows.usable)),
        SURPLUS: spare & needed,
        UNOPPOSED: spare & ~opposed,
    }
    counts = {reason: int((rule & ~used).sum()) for reason, rule in reasons.items()} | {EASY: int(easy.sum())}
    return {reason: found for reason, found in counts.items() if found}
