"""Rankings of systems: TREC run files in."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from judge.errors import InputError
from judge.tables.file import File
from judge.tables.ids import IdIndex, whole_id
from judge.tables.lines import text_lines
from judge.text import encodable

FORMAT = "query_id Q0 candidate_id rank score name"
LARGEST = 3e38
"""Scores are smaller: what fp32 holds, and numbers at all."""
COLUMNS = (5, 6)
"""The last one, the system's name, may be missing."""
_UNUSED = ("Q0", "q0", "0")
"""What stands in the second column. Where the name is missing only this tells that it is not the candidate's id."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_RANK = re.compile(r"\d{1,18}(\.0+)?", re.ASCII)


@dataclass(frozen=True)
class Ranking:
    """What one system shows: its products by query, best first."""

    name: str
    by_query: Mapping[str, Sequence[str]]
    scores: Mapping[str, Sequence[float]]
    """By query, aligned with its products."""

    @cached_property
    def _ids(self) -> IdIndex:
        return IdIndex(self.by_query)

    def shown(self, query_id: str) -> list[tuple[str, float]]:
        """The products of a query and their scores, best first; `101` finds the query `101.0`."""
        at = self._ids.find(query_id)
        if at is None:
            return []
        key = self._ids.ids[at]
        return list(zip(self.by_query[key], self.scores[key], strict=True))

    def others(self, query_ids: Iterable[str]) -> set[str]:
        """Its queries that are none of these, whole numbers without decimals: those of two runs are the same."""
        asked = {at for key in query_ids if (at := self._ids.find(key)) is not None}
        return {whole_id(key) for at, key in enumerate(self._ids.ids) if at not in asked}


def read_ranking(path: Path) -> Ranking:
    """Read a TREC run, `.gz` too; the score decides on the order, of equals the rank.

    Columns are parted by white space or, so that ids may hold some, by tabs.

    Raises:
        InputError: The file cannot be read, a line is not of that format, or a query has a product twice.
    """
    found: dict[str, dict[str, tuple[float, int]]] = {}
    file = File(path)
    with file.reading(), file.open()[1] as stream:
        for number, line in enumerate(text_lines(stream, file.name, encodings=False), 1):
            if not line.strip():
                continue
            where = f"{file.name}, line {number}"
            query_id, key, rank, score = _parted(line, where)
            of = found.setdefault(query_id, {})
            if key in of:
                raise InputError(f"{where}: ranks {key!r} twice for {query_id!r}", "keep one of them")
            of[key] = -score, rank
    if not found:
        raise InputError(f"{file.name}: holds no ranks", f"give a TREC run: {FORMAT}")
    ordered = {query: sorted((*order, key) for key, order in of.items()) for query, of in found.items()}
    return Ranking(
        name_of(path),
        {query: [key for *_, key in some] for query, some in ordered.items()},
        {query: [-score for score, *_ in some] for query, some in ordered.items()},
    )


def name_of(path: Path) -> str:
    """What a run's file calls its system."""
    return Path(path.name.removesuffix(".gz")).stem


def _parted(line: str, where: str) -> tuple[str, str, int, float]:
    """Query, product, rank and score of a line."""
    if not encodable(line):
        raise InputError(f"{where}: is not UTF-8 text", "save the file as UTF-8")
    cells = [cell.strip() for cell in line.split("\t")]
    if len(cells) not in COLUMNS or not all(cells):
        cells = line.split()
    fix = f"write {FORMAT}"
    if len(cells) > max(COLUMNS):
        message = f"{where}: has {len(cells)} columns, and a TREC run {max(COLUMNS)}"
        raise InputError(message, f"{fix}; where an id or the name holds a blank, part the columns by tabs")
    is_whole = len(cells) == max(COLUMNS) or (len(cells) == min(COLUMNS) and cells[1] in _UNUSED)
    if not is_whole or not _RANK.fullmatch(cells[3]) or not _NUMBER.fullmatch(cells[4]):
        raise InputError(f"{where}: is not a line of a TREC run", fix)
    score = float(cells[4])
    if not abs(score) < LARGEST:
        raise InputError(f"{where}: {cells[4]} is not a score", "give scores below 3e38")
    return cells[0], cells[2], int(cells[3].partition(".")[0]), score
