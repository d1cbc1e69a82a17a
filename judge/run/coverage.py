"""Which rows of a run have their label: parts as intervals of judging order, and what they leave open.

Several workers may write one run at once, each its own stretch, so that parts need not follow on one another. What has
no label yet is what lies between them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from judge.errors import RunError
from judge.run.parts import rows_of, start_of

Interval = tuple[int, int]
"""Positions in judging order, [start, end)."""
RECENT = 600.0
"""Seconds before the newest part that count for the present rate."""


def intervals(parts: Iterable[Path]) -> list[Interval]:
    """The rows that label parts hold, in judging order.

    Raises:
        RunError: A part is damaged or is called otherwise, or two hold the same rows.
    """
    found: list[Interval] = []
    for part in sorted(parts):
        start = start_of(part)
        if found and start < found[-1][1]:
            raise RunError(
                f"{part.parent.parent}: labels/{part.name} begins among the rows of the part before it",
                f"delete {part.name}, and run the same command again",
            )
        found.append((start, start + rows_of(part)))
    return found


def gaps(covered: Iterable[Interval], rows: int, bounds: Sequence[int] = ()) -> list[Interval]:
    """What sorted intervals leave open of the rows from 0 to `rows`, cut at sorted bounds."""
    open_: list[Interval] = []
    position = 0
    for start, end in [*covered, (rows, rows)]:
        cuts = [position, *bounds[bisect_right(bounds, position) : bisect_left(bounds, start)], start]
        open_ += [(first, last) for first, last in pairwise(cuts) if first < last]
        position = max(position, end)
    return open_


def within(intervals: Iterable[Interval], stretch: Interval) -> list[Interval]:
    """What of some intervals lies in a stretch."""
    cut = [(max(start, stretch[0]), min(end, stretch[1])) for start, end in intervals]
    return [(start, end) for start, end in cut if start < end]


def size(intervals: Iterable[Interval]) -> int:
    """How many rows they hold."""
    return sum(end - start for start, end in intervals)


def present_rate(parts: Sequence[Path]) -> float | None:
    """Rows a second by the clock, of all workers together, over the last ten minutes in which a part was written; null
    where fewer than two were."""
    written = sorted((part.stat().st_mtime, rows_of(part)) for part in parts)
    recent = [each for each in written if each[0] >= written[-1][0] - RECENT]
    if len(recent) < 2 or recent[-1][0] <= recent[0][0]:
        return None
    # The first part's rows were labelled before it was written.
    return sum(rows for _, rows in recent[1:]) / (recent[-1][0] - recent[0][0])
