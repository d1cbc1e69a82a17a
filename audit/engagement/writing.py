"""What an audit leaves behind: evidence, flags and queries in Parquet, the figures in JSON, the report in HTML."""

from pathlib import Path
from typing import Any

import numpy as np

from audit.engagement.advice import next_step
from audit.engagement.auditing import Audit
from audit.engagement.flags import expected_clicks
from audit.engagement.queries import QueryRow
from audit.engagement.report import as_html
from judge.documents import Kind, check, load
from judge.errors import InputError
from judge.files import dump_json, write_whole
from judge.places import check_writable
from judge.records import Flag, counted
from judge.run.flags import Flags
from judge.run.store import Run
from judge.tables.parquet import write_table

FILES = ("evidence.parquet", "flags.parquet", "queries.parquet", "audit.json", "report.html")
"""What an audit writes into its directory."""


LEAST = 0.5
"""An audit replaces flags where at least this share of its rows is used, and of the flagged pairs was shown."""
IRRELEVANT = ("other_action", "bot", "repeated", "duplicate")
"""Rows that are set aside without anything being wrong with the file: they are not missed."""


def check_place(run: Run, events: str, out: Path, *, overwrite: bool = False) -> None:
    """Refuse a run that has flags, and a directory that holds something else, or the audit of another run or events;
    and either where it cannot be written.

    A run without flags may be audited again into the same directory: events grow.

    Raises:
        InputError: It does, and is not to be written over; or it cannot be written.
    """
    check_writable(out)
    check_writable(run.path, fix="the run keeps its flags: fix its permissions, or audit a copy of it")
    if overwrite:
        return
    if flags := len(Flags(run.path)):
        raise InputError(
            f"{run.path}: holds {counted(flags, 'flag')} of an earlier audit, and another one would replace them",
            "do so with --overwrite; what was decided stays",
        )
    if not out.is_dir():
        return
    fix = "choose another directory, or write there with --overwrite"
    held = sorted(path.name for path in out.iterdir() if not path.name.startswith("."))
    if (out / "audit.json").is_file():
        try:
            made = load(out / "audit.json", dict[str, Any], Kind(fix))
            of = check([made.get("run"), made.get("events")], tuple[str, str], Kind(fix), out / "audit.json")
        except InputError:
            raise InputError(f"{out}: holds an audit.json that is not an audit's", fix) from None
        if [Path(path).resolve() for path in of] != [run.path.resolve(), Path(events).resolve()]:
            raise InputError(f"{out}: holds the audit of {of[0]} by {of[1]}", fix)
    elif others := [name for name in held if name not in FILES]:
        raise InputError(f"{out}: holds files that no audit wrote ({', '.join(others[:3])})", fix)


def check_evidence(found: Audit) -> None:
    """Refuse to replace a run's flags by what hardly any evidence was left for: their absence would say nothing.

    It is refused where less than half (`LEAST`) of the rows is used, but for rows that are no evidence by nature
    (`IRRELEVANT`), or where less than half of the pairs that are flagged was shown.

    Raises:
        InputError: It is so; the run and its flags are as they were.
    """
    flagged = Flags(found.run.path).rows()
    if not flagged:
        return
    fix = "the flags are kept: see why with a copy of the run, or give all the events in one file"
    read = found.aggregated
    rows = read.rows - sum(read.set_aside.get(name, 0) for name in IRRELEVANT)
    if read.used < LEAST * rows:
        aside = ", ".join(f"{count:,} {name}" for name, count in read.set_aside.items() if name not in IRRELEVANT)
        raise InputError(f"{found.events}: only {read.used:,} of {rows:,} rows can be used ({aside})", fix)
    shown = flagged & set(found.labelled.row[found.labelled.impressions > 0].tolist())
    if len(shown) < LEAST * len(flagged):
        raise InputError(
            f"{found.events}: shows only {len(shown):,} of the {len(flagged):,} pairs that are flagged", fix
        )


def summary(found: Audit) -> dict[str, Any]:
    """The figures of an audit as JSON values, and what to do next, null where nothing is."""
    return found.as_json() | {"next_step": next_step(found)}


def write_audit(found: Audit, out: Path) -> None:
    """Write `evidence.parquet`, `flags.parquet`, `queries.parquet`, `audit.json` and `report.html`, each whole.

    The run's own flags come last: until they are there, the same command makes the audit again.

    Raises:
        OSError: A directory cannot be written; `check_place` tells before any work.
    """
    out.mkdir(parents=True, exist_ok=True)
    evidence = evidence_table(found)
    flags = list_flags(found, evidence)
    write_table(evidence, out / "evidence.parquet")
    Flags(out).write(flags)
    write_table(queries_table(found), out / "queries.parquet")
    report = as_html(found, flags).encode()
    write_whole(out / "report.html", report)
    write_whole(out / "audit.json", dump_json(summary(found)).encode())
    # Where adjudication, the queue and the review find them.
    write_table(evidence, found.run.path / "evidence.parquet")
    write_whole(found.run.path / "audit.html", report)
    Flags(found.run.path).write(flags)


def evidence_table(found: Audit) -> Any:
    """Arrow table with a row for every graded pair, in input order."""
    import pyarrow as pa

    labelled, weighed = found.labelled, found.weighed
    values = np.array(found.run.manifest.values)
    expected = np.full(len(labelled), np.nan)
    rate = weighed.clicks.expected[np.arange(len(labelled)), labelled.grade]
    expected = np.where(labelled.examined > 0, rate * labelled.examined, np.nan)
    columns = {
        "row": labelled.row,
        "query_id": labelled.query_id,
        "query": labelled.query,
        "candidate_id": labelled.candidate_id,
        "grade": values[labelled.grade] if len(labelled) else [],
        "posterior": weighed.posterior.tolist(),
        "p_wrong": weighed.wrong(labelled),
        "impressions": labelled.impressions.astype(np.int64),
        "examined_impressions": labelled.examined,
        "unused_impressions": labelled.unused.astype(np.int64),
        "clicks": labelled.clicks.astype(np.int64),
        "examined_clicks": labelled.debiased_clicks,
        "expected_clicks": pa.array(expected, mask=np.isnan(expected)),
        "carts": labelled.carts.astype(np.int64),
        "purchases": labelled.purchases.astype(np.int64),
    }
    rank = np.zeros(len(labelled), dtype=np.int64)
    rank[weighed.order] = np.arange(1, len(weighed.order) + 1)
    return pa.table({**columns, "rank": pa.array(rank, mask=rank == 0)})


def list_flags(found: Audit, evidence: Any) -> list[Flag]:
    """The flags, strongest first: the rows of `evidence`, and what each flag says."""
    import pyarrow as pa

    rows = np.array([flag.pair for flag in found.flags], dtype=np.int64)
    values, labelled = found.run.manifest.values, found.labelled
    ranges = expected_clicks(labelled, found.weighed, rows)
    flags = []
    of_pairs = evidence.drop_columns("rank").take(pa.array(rows)).to_pylist()
    for flag, known, clicks in zip(found.flags, of_pairs, ranges, strict=True):
        people, live = labelled.people[flag.pair], labelled.live[flag.pair]
        more: dict[str, Any] = {
            "expected_low": clicks and clicks[1],
            "expected_high": clicks and clicks[2],
            "live_examined": None if np.isnan(live) else float(live),
            "people_grade": None if people < 0 else values[people],
            "type": flag.type,
            "strength": flag.strength,
            "q_value": flag.q_value,
            "suggested_grade": values[flag.suggested],
            "suggested_action": flag.action,
            "candidate": dict(labelled.candidate[flag.pair]),
        }
        flags.append(Flag(**known, **more))
    return flags


def queries_table(found: Audit) -> Any:
    """Arrow table of `QueryRow`s, most searched first."""
    import pyarrow as pa

    names = list(QueryRow.__dataclass_fields__)
    kinds = {"searches": pa.int64(), "clicks": pa.int64(), "labelled_pairs": pa.int64(), "popular": pa.bool_()}
    kinds |= {"zero_click": pa.float64(), "weight": pa.float64(), "promoted": pa.bool_(), "thin": pa.bool_()}
    fields = [(name, kinds.get(name, pa.string())) for name in names]
    return pa.table({n: [getattr(row, n) for row in found.queries] for n in names}, schema=pa.schema(fields))
