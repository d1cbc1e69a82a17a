"""An ensemble: finished runs of the same pairs, averaged into a new run.

Where every judge that answered told probabilities, the ensemble's are their mean. Where one gave a grade alone, the
judges vote, and no probabilities are made up. Next to each label stand the judges' grades and how far they disagree.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from judge.errors import InputError
from judge.files import keep, now
from judge.fingerprint import Fingerprint, digest
from judge.labelling.begin import fingerprint
from judge.records import Status
from judge.run.labels import label_schema
from judge.run.manifest import Manifest, Tally
from judge.run.seen import keep_seen, learned_known
from judge.run.store import Run
from judge.scratch import scratch_folder
from judge.sql import identifier, quoted
from judge.statistics.committee import Committee, Floats, tied
from judge.words.guideline import Guideline

PART = 50_000
"""Labels in a part."""
TIE = "the judges tie"
EXTRA = ("member_grades", "disagreement")
"""Columns that only an ensemble's labels have."""
AFTERWARDS = frozenset({"calibration", "max_noise", "threshold", "recalibrated_from", "toolkit"})
"""Parts of a fingerprint that say what became of a judge's answers, and not how they came about."""


@dataclass(frozen=True)
class Said:
    """What one judge said of N rows, with K grades."""

    status: Sequence[str]
    votes: Floats
    """Shape (N, K): 1 at its grade; NaN where it gave none."""
    probabilities: Floats
    """Shape (N, K): NaN where it told none."""
    outside: Floats
    reason: Sequence[str | None]


def ensemble_run(run: Run, members: Sequence[Run]) -> None:
    """Average finished runs into a new one. The caller holds `run.writing()`; where it was begun, it goes on.

    Raises:
        InputError: There are not two, or they are not of the same pairs, grades or policy.
        RunError: One is unfinished, or the directory holds another run.
    """
    guideline = _same_policy(members)
    made = fingerprint(guideline, _parts(members))
    makers = [member.manifest.fingerprint for member in members]
    inputs: dict[str, str | int | None] = {f"member {number}": maker for number, maker in enumerate(makers, 1)}
    # The pairs' columns, as the first run remembers them.
    inputs |= {name: told for name, told in members[0].manifest.inputs.items() if name == "map" and told != "{}"}
    if run.manifest_path.is_file():
        run.check_same(made, inputs)
    else:
        check_same_pairs(members)
        _begin(run, members, guideline, made, inputs)
    silent = not all(map(learned_known, members))
    keep_seen(run.path, [member.path for member in members], unknown=silent)
    start = run.position()
    with _joined(members) as batches:
        for table in batches(start):
            labels = average(table, len(members), guideline.values, made.value)
            run.append(start, labels, Tally())
            start += len(labels)
    run.finish()


def _same_policy(members: Sequence[Run]) -> Guideline:
    """The guideline of all runs; which fields each judge reads, and how much of them, is its own."""
    if len(members) < 2:
        raise InputError("an ensemble needs at least two runs", "name the runs to average")
    by: dict[str, Run] = {}
    for member in members:
        asked = digest({name: part for name, part in member.manifest.parts.items() if name not in AFTERWARDS and part})
        if (first := by.setdefault(asked, member)) is not member:
            raise InputError(
                f"{member.path}: is of the judge of {first.path}, asked the same: twice adds nothing",
                "name runs of different judges, guidelines or templates",
            )
        member.check_finished()
    found = [member.manifest.policy for member in members]
    for member, guideline in zip(members[1:], found[1:], strict=True):
        if guideline.policy != found[0].policy:
            raise InputError(
                f"{member.path}: was labelled by {guideline.name} {guideline.version}, and {members[0].path} by "
                f"{found[0].name} {found[0].version}: their grades do not mean the same",
                "average runs that were labelled by the same guideline",
            )
    return found[0]


def check_same_pairs(members: Sequence[Run]) -> None:
    """Refuse runs of different pairs: each row must be the same query and candidate, with the same texts.

    A field that one run has and another has not is no difference: judges may read different fields.

    Raises:
        InputError: They differ; it names the first row that does.
    """
    first = members[0]
    fields = _fields(first)
    for member in members[1:]:
        shared = [name for name in _fields(member) if name in fields]
        texts = (f"candidate.{identifier(name)}" for name in shared)
        names = ["query_id", "query", "candidate_id", "locale", "skip", *texts]
        differs = " OR ".join(f"p.{name} IS DISTINCT FROM o.{name}" for name in names)
        with scratch_folder("ensemble") as scratch, first.database(Path(scratch)) as db:
            db.read_parquet(str(member.pairs_path)).create_view("others")
            count, row = db.execute(f"""
                SELECT count(*), min(coalesce(p.row, o.row)) FROM pairs p FULL JOIN others o USING (row)
                WHERE p.row IS NULL OR o.row IS NULL OR {differs}""").fetchone()
        if count:
            raise InputError(
                f"{member.path}: is of other pairs than {first.path}: {count:,} rows differ, the first is row {row}",
                "label the same pairs, with the same catalogue, by each judge",
            )


def _fields(run: Run) -> list[str]:
    import pyarrow.parquet as pq

    return [field.name for field in pq.read_schema(run.pairs_path).field("candidate").type]


def _parts(members: Sequence[Run]) -> dict[str, str | None]:
    makers = sorted(member.manifest.fingerprint for member in members)
    return {"judge": f"ensemble of {len(members)}", "members": " ".join(makers), "weights": digest(makers)}


def _begin(
    run: Run, members: Sequence[Run], guideline: Guideline, made: Fingerprint, inputs: Mapping[str, Any]
) -> None:
    first = members[0].manifest
    partial = run.path / "pairs.parquet.partial"
    shutil.copyfile(members[0].pairs_path, partial)
    keep(partial, run.pairs_path)
    run.begin(
        Manifest(
            fingerprint=made.value,
            parts=made.parts,
            inputs=inputs,
            files=first.files,
            guideline=guideline.model_dump(mode="json"),
            normalisation=first.normalisation,
            missing_fields=first.missing_fields,
            passed_over=first.passed_over,
            # Of an ensemble of ensembles, the judges.
            members=tuple(dict(parts) for m in members for parts in (m.manifest.members or (m.manifest.parts,))),
            rows=first.rows,
            created=now(),
        )
    )


@contextmanager
def _joined(members: Sequence[Run]) -> Iterator[Any]:
    """A function that gives what all judges said of each row, in judging order from a position on, as Arrow tables."""
    names = ("status", "grade", "probabilities", "outside_mass", "reason")
    with scratch_folder("ensemble") as scratch, members[0].database(Path(scratch)) as db:
        columns, joins = [], []
        for number, member in enumerate(members):
            db.read_parquet([str(part) for part in member.parts()]).create_view(f"said_{number}")
            columns += [f"said_{number}.{name} AS {name}_{number}" for name in names]
            joins.append(f"JOIN said_{number} ON said_{number}.row = p.row")
        pairs = f"read_parquet({quoted(members[0].pairs_path)}, file_row_number = true)"

        def batches(start: int) -> Iterator[Any]:
            yield from db.sql(
                f"SELECT p.row, p.query_id, p.candidate_id, {', '.join(columns)} FROM {pairs} p {' '.join(joins)} "
                f"WHERE p.file_row_number >= {int(start)} ORDER BY p.file_row_number"
            ).to_arrow_reader(PART)

        yield batches


def average(table: Any, count: int, values: Sequence[int], made: str) -> Any:
    """The labels that several judges' come to, as an Arrow table of `label_schema()` and the columns of `EXTRA`.

    Args:
        table: Of N rows, with `row, query_id, candidate_id`, and `status_0, grade_0, probabilities_0, outside_mass_0,
            reason_0` of the first judge, and so on.
        count: The number of judges.
        values: The grades, ascending.
        made: The fingerprint.
    """
    import pyarrow as pa

    said = [_said(table, number, values) for number in range(count)]
    panel = Committee(np.stack([each.probabilities for each in said]), np.stack([each.votes for each in said]))
    mean = panel.mean
    some = ~np.isnan(mean[:, 0])
    level = some & tied(np.nan_to_num(mean))
    graded, probable = some & ~level, some & ~panel.by_votes
    skipped = np.array([state == Status.SKIPPED for state in said[0].status])
    states = [Status.SKIPPED.value, Status.GRADED.value, Status.ABSTAINED.value]
    status = np.select([skipped, graded, level], states, Status.FAILED.value)
    grades = np.array(values)
    outside, known = _outside(said, panel)
    columns = {
        "row": table["row"],
        "query_id": table["query_id"],
        "candidate_id": table["candidate_id"],
        "status": status.tolist(),
        "grade": pa.array(grades[np.nan_to_num(mean).argmax(axis=1)], mask=~graded, type=pa.int32()),
        "probabilities": [row.tolist() if is_told else None for row, is_told in zip(mean, probable, strict=True)],
        "expected_grade": pa.array((mean * grades).sum(axis=1), mask=~probable),
        "outside_mass": pa.array(outside, mask=~(probable & known)),
        "reason": [_reason(said, row, state) for row, state in enumerate(status)],
        "fingerprint": [made] * len(status),
    }
    split = panel.disagreement
    members = zip(*(table[f"grade_{number}"].to_pylist() for number in range(count)), strict=True)
    labels = pa.table(columns, schema=label_schema())
    labels = labels.append_column(EXTRA[0], pa.array([list(each) for each in members], pa.list_(pa.int32())))
    return labels.append_column(EXTRA[1], pa.array(split, mask=np.isnan(split)))


def _said(table: Any, number: int, values: Sequence[int]) -> Said:
    nothing = [float("nan")] * len(values)
    grades = np.array(table[f"grade_{number}"].to_pylist(), dtype=float)
    votes = (grades[:, None] == np.array(values)).astype(float)
    votes[np.isnan(grades)] = np.nan
    told = [row or nothing for row in table[f"probabilities_{number}"].to_pylist()]
    return Said(
        status=table[f"status_{number}"].to_pylist(),
        votes=votes,
        probabilities=np.array(told, dtype=float).reshape(-1, len(values)),
        outside=np.array(table[f"outside_mass_{number}"].to_pylist(), dtype=float),
        reason=table[f"reason_{number}"].to_pylist(),
    )


def _outside(said: Sequence[Said], panel: Committee) -> tuple[Floats, Any]:
    """The mean mass outside the labels of those that told it, and of which rows one did."""
    masses = np.stack([each.outside for each in said])
    known = ~np.isnan(masses) & panel.told
    return np.where(known, masses, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1), known.any(axis=0)


def _reason(said: Sequence[Said], row: int, status: str) -> str | None:
    if status in (Status.GRADED, Status.ABSTAINED):
        return TIE if status == Status.ABSTAINED else None
    return next((each.reason[row] for each in said if each.reason[row]), "no judge gave a grade")
