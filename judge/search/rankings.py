"""Rankings of systems: TREC run files in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from judge.errors import InputError
from judge.tables.ids import whole_id

FORMAT = "query_id Q0 candidate_id rank score name"
LARGEST = 3e38
"""Scores are smaller: what fp32 holds, and numbers at all."""


@dataclass(frozen=True)
class Ranking:
    """What one system shows: its products by query, best first."""

    name: str
    by_query: Mapping[str, Sequence[str]]
    scores: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """By query, aligned with its products."""


def read_ranking(path: Path) -> Ranking:
    """Read a TREC run; the score decides on the order, of equals the rank.

    Raises:
        InputError: The file cannot be read, a line is not of that format, or a query has a product twice.
    """
    found: dict[str, list[tuple[float, int, str]]] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise InputError(f"{path}: cannot be read ({what})", f"give a TREC run: {FORMAT}") from None
    seen: set[tuple[str, str]] = set()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            query_id, _, key, rank, score, *_ = line.split()
            entry = -float(score), int(rank), whole_id(key)
            if not abs(entry[0]) < LARGEST:
                raise ValueError
        except ValueError:
            raise InputError(f"{path}, line {number}: is not a line of a TREC run", f"write {FORMAT}") from None
        if (query_id, entry[2]) in seen:
            raise InputError(f"{path}, line {number}: ranks {key!r} twice for {query_id!r}", "keep one of them")
        seen.add((query_id, entry[2]))
        found.setdefault(whole_id(query_id), []).append(entry)
    if not found:
        raise InputError(f"{path}: holds no ranks", f"give a TREC run: {FORMAT}")
    ordered = {query: sorted(some) for query, some in found.items()}
    return Ranking(
        path.stem,
        {query: [key for *_, key in some] for query, some in ordered.items()},
        {query: [-score for score, *_ in some] for query, some in ordered.items()},
    )
