"""A run's labels against what shoppers did."""

import os
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from audit.engagement import auditing
from audit.engagement.aggregate import Rules
from audit.engagement.labelled import LabelledPairs
from audit.engagement.source import EngagementFile
from audit.engagement.writing import check_evidence, check_place, evidence_table, list_flags, summary, write_audit
from judge.errors import InputError
from judge.ratings.remembered import fitting_columns
from judge.records import Flag
from judge.run.flags import flag_table
from judge.tables.rows import Table
from relevance_judge import shown
from relevance_judge.inputs import AnyRun, Rows, as_file, as_run
from relevance_judge.reading import ColumnMap, Reading, columns_of

PAIR = ("query", "query_id", "candidate_id")
"""What the events and people's grades name a pair by."""


@dataclass(frozen=True, repr=False)
class Audit(shown.Result):
    """What an audit found. No label is changed, and nothing is written before `write`."""

    found: auditing.Audit
    """Everything that `judge audit` knows."""

    @cached_property
    def flags(self) -> tuple[Flag, ...]:
        """The flags, strongest first; a pair can have several."""
        return tuple(list_flags(self.found, evidence_table(self.found)))

    @property
    def summary(self) -> dict[str, Any]:
        """Figures of the whole audit, as `judge audit --json` prints them."""
        return summary(self.found)

    def to_arrow(self) -> Any:
        """A `pyarrow.Table` with a row a flag, strongest first."""
        return flag_table(self.flags)

    def to_pandas(self) -> Any:
        """The same as a pandas DataFrame."""
        return shown.as_pandas(self.to_arrow())

    def write(self, out: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write evidence, flags, queries, figures and the report into a directory, and the flags into the run.

        Raises:
            InputError: The run has flags already, or the directory holds something else; `overwrite` replaces both.
        """
        check_place(self.found.run, self.found.events, Path(out), overwrite=overwrite)
        check_evidence(self.found)
        write_audit(self.found, Path(out))
        return Path(out)

    def _sheet(self) -> shown.Sheet:
        head = ("query", "candidate", "grade", "clicks", "bought", "q", "flag")
        rows = []
        for flag in self.flags[: shown.SHOWN]:
            change, q = f"{flag.grade} → {flag.suggested_grade}", shown.number(flag.q_value)
            rows.append((flag.query, flag.candidate_id, change, flag.clicks, flag.purchases, q, flag.type))
        return shown.Sheet(f"{len(self.flags):,} flags of {self.found.run.path}", head, rows, len(self.flags))


@dataclass(frozen=True)
class AuditRequest:
    """How a run is audited, apart from the events."""

    mapping: Mapping[str, list[str]]
    """Our names to the events' columns."""
    people: tuple[Path, str] | None
    """The file of people's grades, and what to call it."""
    reading: Reading
    """Of people's grades: their column and what they mean."""
    level: float
    first_position: int | None
    memory: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d+(\.\d+)?[KMGT]B", self.memory):
            raise InputError(f"--memory {self.memory}: is not a valid size", "write it like --memory 5GB")

    def settle(self) -> tuple[dict[str, list[str]], auditing.Settings]:
        """The events' columns, and the settings.

        A map is people's too where they have its column, and none of our name; then the events may have that instead.
        """
        mapping, ratings = dict(self.mapping), None
        if self.people:
            path, name = self.people
            layout = self.reading.layout
            theirs = set(Table(path, encoding=layout.encoding).all_columns())
            shared = {n: c for n, c in mapping.items() if n in PAIR and n not in theirs and theirs & set(c)}
            mapping |= {name: [*columns, name] for name, columns in shared.items()}
            ratings = LabelledPairs(path, shared | self.reading.mapping, layout.grades or None, name, layout.encoding)
        return mapping, auditing.Settings(
            self.level, ratings, Rules(first_position=self.first_position, memory=self.memory)
        )


def audit(
    run: AnyRun,
    events: Rows,
    *,
    people: Rows | None = None,
    map: ColumnMap | None = None,
    rating: str | None = None,
    grades: Mapping[str, int] | None = None,
    fdr: float = 0.1,
    first_position: int | None = None,
    memory: str = "5GB",
    queries: str | os.PathLike[str] | None = None,
    encoding: str | None = None,
) -> Audit:
    """Find labels that clicks, carts and purchases contradict. Nothing is written before `Audit.write`.

    Args:
        run: A finished run, or its directory.
        events: `query` or `query_id`, `candidate_id`, `position`, and either `action` and `search_id` (events),
            `clicked` and `search_id` (impressions), or `impressions`, `clicks`, `add_to_carts`, `purchases` (counts);
            or a path of UBI events (JSONL).
        people: People's grades of some of the pairs.
        map: Our names to the events' columns, and to people's where these have them.
        rating: The column of people's grade, where it is not `grade`.
        grades: What people's grades mean; the guideline's values unless given.
        fdr: Share of false flags of each type that its model may expect, between 0.001 and 0.5.
        first_position: The rank of the first result, 0 or 1; found in the events unless given.
        memory: Memory for reading the events, such as `5GB`.
        queries: A file of the words of searches that events name by id alone, such as UBI's `ubi_queries`.
        encoding: What the text of files is in, where it is not UTF-8.

    Raises:
        InputError: The events or people's grades cannot be used.
        RunError: The run is unfinished.
    """
    if not 0.001 <= fdr <= 0.5:
        raise InputError(f"fdr={fdr}: is not between 0.001 and 0.5", "0.1 unless given")
    if first_position not in (None, 0, 1):
        raise InputError(f"first_position={first_position}: ranks begin at 0 or 1", "leave it out to have it found")
    opened, how = as_run(run), Reading(rating=rating, grades=grades, queries=queries, encoding=encoding)
    with ExitStack() as files:
        path, name = files.enter_context(as_file(events, "events"))
        theirs = None if people is None else files.enter_context(as_file(people, "people"))
        request = AuditRequest(columns_of(map), theirs, how, fdr, first_position, memory)
        mapping, settings = request.settle()
        mapping |= fitting_columns([opened], [path], PAIR, mapping, encoding)
        source = EngagementFile(path, mapping, name, how.queries_path, encoding)
        return Audit(auditing.audit(opened, source, settings))
