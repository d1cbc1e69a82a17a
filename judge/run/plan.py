"""The plan of a run that several workers label: stretches of its pairs, each ending where a query ends.

`plan.json` lies next to `run.json`. It is written once the pairs are staged, and never changes. A worker takes whole
stretches; who takes which is not written down, since work may be done twice and its outcome is kept once.
"""

import hashlib
import os
from bisect import bisect_right
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from judge.documents import Kind, load
from judge.errors import InputError, RunError
from judge.files import now, write_whole
from judge.fingerprint import file_digest
from judge.records import Record

SHARD_PAIRS = 500_000
"""Rows of a stretch, unless told otherwise."""
PLAN = "plan.json"
FAILED = "failed"
"""The folder of a run with a file for each stretch that was given up."""
_DOCUMENT = Kind("stop its workers, delete it, and run the same `judge plan` again: what is labelled stays", RunError)
_FAILURE = Kind("delete it, and label again", RunError)


class Plan(Record):
    """What `plan.json` holds."""

    format: int = 1
    rows: Annotated[int, Field(ge=0)]
    shard_pairs: Annotated[int, Field(ge=1)]
    """Rows of a stretch, at least, but for the last."""
    digest: str
    """SHA-256 (hex) of `pairs.parquet`."""
    footer: str
    """SHA-256 (hex) of that file's footer, which has the place, the size and the bounds of all it holds: what a worker
    checks that reads a stretch alone."""
    stretches: tuple[tuple[int, int], ...]
    """[start, end) in judging order."""
    asked: Mapping[str, str | int | float | bool | None] = {}
    """Who judges, as the planner said it: what workers do unless told otherwise."""
    created: str

    @model_validator(mode="after")
    def _tiles(self) -> "Plan":
        position = 0
        for start, end in self.stretches:
            if start != position or end <= start:
                what = "claimed by two stretches" if start < position else "in no stretch, or its stretch is empty"
                raise ValueError(f"row {min(start, position):,} is {what}")
            position = end
        if position != self.rows:
            raise ValueError(f"its stretches end at row {position:,} of {self.rows:,}")
        return self

    def shard(self, shard: "Shard") -> list[tuple[int, int]]:
        """The stretches of one of so many shards: every n-th."""
        return list(self.stretches[shard.number - 1 :: shard.count])


class Shard(Record):
    """One worker's share of a plan: `3/64`."""

    number: int
    """From 1 on."""
    count: int

    @classmethod
    def read(cls, text: str) -> "Shard":
        """Of `i/N`.

        Raises:
            InputError: It is not that, or out of range.
        """
        number, sign, count = text.partition("/")
        plain = all(part.isascii() and part.isdecimal() and len(part) < 9 for part in (number, count))
        if not (sign and plain and int(count)):
            raise InputError(f"--shard {text}: is not i/N", "write it like --shard 3/64")
        if not 1 <= int(number) <= int(count):
            fix = f"shards are counted from 1: 1/{int(count)} to {int(count)}/{int(count)}"
            raise InputError(f"--shard {text}: is out of range", fix)
        return cls(number=int(number), count=int(count))


class FailedStretch(Record):
    """A stretch that was given up, and why."""

    start: int
    end: int
    tries: int
    error: str
    time: str


def make_plan(pairs: Path, shard_pairs: int, asked: Mapping[str, Any]) -> Plan:
    """A plan over staged pairs."""
    bounds = query_bounds(pairs, shard_pairs)
    return Plan(
        rows=bounds[-1],
        shard_pairs=shard_pairs,
        digest=file_digest(pairs),
        footer=footer_digest(pairs),
        stretches=tuple(pairwise(bounds)),
        asked=asked,
        created=now(),
    )


def read_plan(path: Path) -> Plan:
    """The plan of a file.

    Raises:
        RunError: It is damaged; a row is in two stretches or in none.
    """
    return load(path, Plan, _DOCUMENT)


def query_bounds(pairs: Path, size: int) -> list[int]:
    """0, then every position at which a stretch of at least `size` rows can end with a query, then the number of rows.

    Of the file, only the groups around those positions are read.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pairs)
    ends = [0]
    for group in range(file.num_row_groups):
        ends.append(ends[-1] + file.metadata.row_group(group).num_rows)
    bounds, rows = [0], ends[-1]
    while bounds[-1] + size < rows:
        wanted = bounds[-1] + size
        group = bisect_right(ends, wanted - 1) - 1
        before, found = None, None
        while found is None and group < file.num_row_groups:
            ids = file.read_row_group(group, columns=["query_id"])["query_id"].combine_chunks().fill_null("")
            offset = max(0, wanted - 1 - ends[group])
            before = ids[offset] if before is None else before
            differs = pc.index(pc.not_equal(ids.slice(offset), before), True).as_py()
            found = ends[group] + offset + differs if differs >= 0 else None
            group += 1
        if found is None:
            break
        bounds.append(found)
    return [*bounds, rows]


def footer_digest(pairs: Path) -> str:
    """SHA-256 (hex) of a Parquet file's footer."""
    with pairs.open("rb") as stream:
        stream.seek(-8, os.SEEK_END)
        size = int.from_bytes(stream.read(4), "little") + 8
        stream.seek(-min(size, stream.seek(0, os.SEEK_END)), os.SEEK_END)
        return hashlib.sha256(stream.read()).hexdigest()


def note_failure(run: Path, failed: FailedStretch) -> None:
    """Keep what a stretch was given up for."""
    (run / FAILED).mkdir(exist_ok=True)
    write_whole(_failure(run, failed.start), failed.model_dump_json(indent=2).encode())


def forget_failure(run: Path, start: int) -> None:
    """A stretch has all its labels."""
    _failure(run, start).unlink(missing_ok=True)


def failures(run: Path) -> list[FailedStretch]:
    """The stretches that were given up, in judging order."""
    found = []
    for path in sorted((run / FAILED).glob("stretch-*.json")):
        try:
            found.append(load(path, FailedStretch, _FAILURE))
        except RunError:
            if path.exists():  # else a worker has just made up for it
                raise
    return found


def _failure(run: Path, start: int) -> Path:
    return run / FAILED / f"stretch-{start:012d}.json"
