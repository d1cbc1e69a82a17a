"""Another judge labels some of a run's pairs, in runs of their own in `RUN/adjudicate-FINGERPRINT/` until it is done.

Each batch is a file of pairs and a run of it, so that answers that were paid for outlast a process that is killed: the
next adjudication by the same judge finishes the batches that are there, and asks only about pairs that none has.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from judge.documents import Kind, parse
from judge.errors import RunError
from judge.files import write_whole
from judge.labelling.begin import fingerprint
from judge.labelling.job import Labelling
from judge.pairs.stage import Source
from judge.run.store import Run

Watch = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""Told how many pairs are asked about; what it gives is called with the number of each part that is done."""


def unwatched(pairs: int) -> AbstractContextManager[Callable[[int], None]]:
    """A `Watch` that says nothing."""
    return nullcontext(lambda done: None)


_KIND = Kind("delete this folder, and adjudicate again", RunError)


class _Asked(BaseModel):
    """What a line of a batch says of its pair; its texts are the labelling's to read."""

    query_id: str
    candidate_id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a judge said of a pair."""

    grade: int | None
    """Null where it gave none."""
    probabilities: tuple[float, ...] | None = None
    """Of each grade, where it told them."""
    reason: str | None = None
    """Why it gave no grade."""


def folder_of(run: Run, work: Labelling) -> Path:
    """Where a judge's answers are kept until its adjudication of the run is done."""
    return run.path / f"adjudicate-{fingerprint(work.guideline, work.parts).value}"


def rejudge(run: Run, rows: Set[int], work: Labelling, watch: Watch) -> Mapping[tuple[str, str], Answer]:
    """What a judge says of a run's pairs in these rows, by (query_id, candidate_id).

    Raises:
        RunError: The run's directory cannot be written, or another process adjudicates it by the same judge.
        EngineError: The engine cannot go on; what was answered is kept.
    """
    folder = folder_of(run, work)
    wanted = _lines(run, rows)
    try:
        folder.mkdir(exist_ok=True)
        there = sorted(folder.glob("*.jsonl"))
        known = {key for path in there for key in _keys(path)}
        if left := [line for line in wanted if _key(line) not in known]:
            there.append(folder / f"{len(there):06}.jsonl")
            write_whole(there[-1], "".join(json.dumps(line) + "\n" for line in left).encode())
    except OSError as error:
        raise RunError(f"{folder}: cannot be written ({error.strerror})", "make room, or fix its permissions") from None
    answers: dict[tuple[str, str], Answer] = {}
    judge = work.judge
    with watch(len(wanted)) as advance:
        for path in there:
            job, again = replace(work, source=Source(path), find=lambda: judge), Run(path.with_suffix(""))
            with again.writing():
                job.begin(again)
                job.go_on(again, advance)
            found = again.query("SELECT query_id, candidate_id, grade, probabilities, reason FROM labels")
            answers |= {(q, c): Answer(grade, said and tuple(said), why) for q, c, grade, said, why in found}
    return answers


def forget(folder: Path) -> None:
    """Remove a judge's answers once they are decisions; the run's next writer finishes a removal that is killed."""
    if folder.is_dir():
        left = folder.with_name(f"staging-{folder.name}-{os.getpid()}")
        folder.rename(left)
        shutil.rmtree(left, ignore_errors=True)


def _lines(run: Run, rows: Set[int]) -> list[dict[str, Any]]:
    import pyarrow as pa

    wanted = pa.table({"row": pa.array(sorted(rows), pa.int64())})
    sql = "SELECT query_id, query, candidate_id, locale, candidate FROM pairs SEMI JOIN wanted USING (row) ORDER BY row"
    lines = []
    for query_id, query, candidate_id, locale, candidate in run.query(sql, wanted=wanted):
        line: dict[str, Any] = {name: text for name, text in (candidate or {}).items() if text is not None}
        lines.append(line | {"query_id": query_id, "query": query, "candidate_id": candidate_id, "locale": locale})
    return lines


def _keys(path: Path) -> Iterator[tuple[str, str]]:
    """The pairs of a batch."""
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, 1):
            asked = parse(raw, _Asked, _KIND, f"{path}, line {number}")
            yield asked.query_id, asked.candidate_id


def _key(line: Mapping[str, Any]) -> tuple[str, str]:
    return line["query_id"], line["candidate_id"]
