"""People's decisions out of a sheet that they filled in, and cells that are safe in one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from judge.decisions import Decision, Verdict
from judge.errors import InputError
from judge.files import now
from judge.rows import Row, Table
from judge.store import Run


def read_decisions(run: Run, path: Path, author: str | None, name: str | None = None) -> list[Decision]:
    """People's decisions out of a filled-in sheet (CSV, TSV, JSONL or Parquet); rows without a decision are left out.

    Raises:
        InputError: A row names no pair of the run, or decides something that cannot be; names the row and the field.
    """
    table = Table(path, name)
    labels = {
        (query_id, candidate_id): grade
        for query_id, candidate_id, grade in run.query(
            "SELECT query_id, candidate_id, grade FROM labels WHERE status <> 'skipped'"
        )
    }
    values = run.manifest.values
    found = []
    for row in table.rows():
        if not isinstance(row, Row):
            raise InputError(str(row), row.fix)
        given = {key: "" if value is None else str(value).strip() for key, value in row.values.items()}
        if not given.get("decision"):
            continue
        key = next((k for k in _keys(given) if k in labels), None)
        where = f"{table.name}, row {row.number}"
        if key is None:
            raise InputError(
                f"{where}, field 'candidate_id': is no pair of {run.path}", "keep the sheet's ids as they were"
            )
        who = restored(given.get("author", "")) or author
        if not who:
            raise InputError(f"{where}, field 'author': is empty", "fill it in, or give --author NAME for all rows")
        verdict, grade = parse_decision(given["decision"], values, where, labels[key])
        found.append(
            Decision(
                query_id=key[0],
                candidate_id=key[1],
                verdict=verdict,
                grade=grade,
                label=labels[key],
                author=who,
                reason=restored(given.get("reason", "")),
                time=now(),
                source="file",
            )
        )
    return found


def parse_decision(text: str, values: Sequence[int], where: str, label: int | None) -> tuple[Verdict, int | None]:
    """What `keep`, `unsure` or a grade decides; the label's own grade keeps it.

    Raises:
        InputError: It is none of these.
    """
    if text in (Verdict.KEEP, Verdict.UNSURE):
        return Verdict(text), None
    grade = int(text.removesuffix(".0")) if text.removesuffix(".0").isdecimal() else None
    if grade not in values:
        known = ", ".join(map(str, values))
        raise InputError(f"{where}, field 'decision': {text!r} is no decision", f"write {known}, keep or unsure")
    return (Verdict.KEEP, None) if grade == label else (Verdict.CHANGE, grade)


def inert(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return "'" + cell if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def restored(cell: str) -> str:
    """What `inert` was given."""
    return cell[1:] if cell[:1] == "'" and inert(cell[1:]) == cell else cell


def _keys(given: Mapping[str, str]) -> list[tuple[str, str]]:
    """The ids as written, and as they were before `inert`."""
    pair = given.get("query_id", ""), given.get("candidate_id", "")
    return [pair, (restored(pair[0]), restored(pair[1]))]
