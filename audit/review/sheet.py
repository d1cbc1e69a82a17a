"""People's decisions out of a sheet that they filled in."""

from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime
from pathlib import Path

from judge.errors import InputError
from judge.files import now
from judge.run.decisions import Decision, Verdict
from judge.run.store import Run
from judge.tables.ids import IDS, as_id, as_written, whole_id, whole_id_sql
from judge.tables.rows import Row, Table
from judge.tables.values import as_text, restored

DECIDING = frozenset({"decision", "verdict"})
"""Columns of which a file must have one: otherwise it is no sheet of decisions."""
READ = frozenset(
    {"query_id", "query", "candidate_id", "author", "reason", "time", "source", "grade", "label", *DECIDING}
)


def read_decisions(run: Run, path: Path, author: str | None, name: str | None = None) -> list[Decision]:
    """People's decisions out of a filled-in sheet (CSV, TSV, JSONL or Parquet); rows without a decision are left out.

    A row may also be a line of a `decisions.jsonl`: the agreement report's, or another run's. Where a row's query has
    another id than in the run, and one of the two is made of the query's words, its words name it.

    Raises:
        InputError: A row names no pair of the run, or decides something that cannot be; names the row and the field.
    """
    table = Table(path, name)
    rows: list[tuple[int, dict[str, str]]] = []
    read, able = 0, table.columns is not None and not DECIDING.isdisjoint(table.columns)
    for row in table.rows():
        if not isinstance(row, Row):
            raise InputError(str(row), row.fix)
        read, able = row.number, able or not DECIDING.isdisjoint(row.values)
        given = _given(table, row)
        if given.get("decision"):
            rows.append((row.number, given))
    if not able and (read or table.columns is not None):
        there = f"; it has {', '.join(table.columns)}" if table.columns is not None else ""
        raise InputError(
            f"{table.name}, row 1, field 'decision': missing{there}", "fill in the sheet that `judge queue` writes"
        )
    # Only a sheet went through `inert`; a line of JSON has its ids as they are.
    labels = _labels(run, [given for _, given in rows], table.format in (".csv", ".tsv"))
    values = run.manifest.values
    found = []
    for index, (number, given) in enumerate(rows):
        where = f"{table.name}, row {number}"
        if index not in labels:
            raise InputError(
                f"{where}, field 'candidate_id': is no pair of {run.path}", "keep the sheet's ids as they were"
            )
        query_id, candidate_id, label = labels[index]
        who = restored(given.get("author", "")) or author
        if not who:
            raise InputError(f"{where}, field 'author': is empty", "fill it in, or give --author NAME for all rows")
        if given["decision"] == Verdict.OPINION and given["source"] == "judge":
            grade = parse_decision(given["grade"], values, where, None)[1] if given.get("grade") else None
            verdict = Verdict.OPINION
        else:
            verdict, grade = parse_decision(given["decision"], values, where, label)
        found.append(
            Decision(
                query_id=query_id,
                candidate_id=candidate_id,
                verdict=verdict,
                grade=grade,
                label=label,
                author=who,
                reason=restored(given.get("reason", "")),
                time=_time(given.get("time", ""), where),
                source=given["source"],
            )
        )
    return found


def _given(table: Table, row: Row) -> dict[str, str]:
    """What a row says, as text; `decision` is empty where it decides nothing.

    A line of a `decisions.jsonl` says it in `verdict`, `grade` and `label`. To keep a label is to give its grade, which
    in this run can be another one; and what a judge decided there is a judge's word here, too: its opinion, unless it
    changed the label.
    """
    given = {}
    for field in READ & row.values.keys():
        try:
            given[field] = ((as_id if field in IDS else as_text)(row.values[field]) or "").strip()
        except ValueError as error:
            fix = "save the file as UTF-8" if "UTF-8" in str(error) else "give text or a number"
            raise InputError(f"{table.name}, row {row.number}, field {field!r}: {error}", fix) from None
    source = "file"
    if not given.get("decision") and given.get("verdict"):
        source = "judge" if given.get("source") == "judge" else source
        if source == "judge" and given["verdict"] == Verdict.KEEP:
            given |= {"verdict": Verdict.OPINION, "grade": given.get("label", "")}
        meant: dict[str, str | None] = {Verdict.CHANGE: given.get("grade"), Verdict.KEEP: given.get("label")}
        given["decision"] = meant.get(given["verdict"]) or given["verdict"]
    return given | {"source": source}


_KEY = ("query_id", "candidate_id", "query")
# A `query_id` that is the digest of its text was made by us, because a file had none: then the text is what counts.
_PAIRS = f"""
    WITH asked AS (
        SELECT p.query_id, p.query, p.candidate_id, l.grade FROM pairs p JOIN labels l USING (row)
        WHERE l.status <> 'skipped')
    SELECT DISTINCT s.place, s.turn, a.query_id <> s.query_id AS other_id, a.query_id, a.candidate_id, a.grade
    FROM sheet s JOIN asked a ON s.candidate_id IN (a.candidate_id, {whole_id_sql("a.candidate_id")})
        AND (a.query_id = s.query_id
        OR a.query = s.query AND left(sha256(a.query), 16) IN (a.query_id, s.query_id))
    ORDER BY ALL"""


def _labels(run: Run, rows: Sequence[Mapping[str, str]], inert: bool) -> dict[int, tuple[str, str, int | None]]:
    """Each row's pair as the run has it, and its label's grade; rows of no pair are left out."""
    import pyarrow as pa

    whole = {name for name in IDS if not as_written(given.get(name) for given in rows)}
    sheet = [
        (place, turn, *key) for place, given in enumerate(rows) for turn, key in enumerate(_keys(given, inert, whole))
    ]
    columns = [list(column) for column in zip(*sheet, strict=True)] or [[], [], [], [], []]
    kinds = {"place": pa.int64(), "turn": pa.int64()} | dict.fromkeys(_KEY, pa.string())
    table = pa.table({name: pa.array(column, kinds[name]) for name, column in zip(kinds, columns, strict=True)})
    by_id: dict[tuple[int, int], tuple[str, str, int | None]] = {}
    by_words: dict[tuple[int, int], list[tuple[str, str, int | None]]] = {}
    for place, turn, other_id, *pair in run.query(_PAIRS, sheet=table):
        if other_id:
            by_words.setdefault((place, turn), []).append((pair[0], pair[1], pair[2]))
        else:
            by_id.setdefault((place, turn), (pair[0], pair[1], pair[2]))
    # Words that belong to several queries of the run name none of them.
    found = {key: pairs[0] for key, pairs in by_words.items() if len(pairs) == 1} | by_id
    return {place: found[place, turn] for place, turn in sorted(found, reverse=True)}


def _time(text: str, where: str) -> str:
    """When it was decided: what the row says, in UTC; now where it says nothing."""
    if not text:
        return now()
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{where}, field 'time': {text!r} is no time", "write it like 2026-01-31T14:05:00Z, or leave it out"
        ) from None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_decision(text: str, values: Sequence[int], where: str, label: int | None) -> tuple[Verdict, int | None]:
    """What `keep`, `unsure` or a grade decides; the label's own grade keeps it.

    Raises:
        InputError: It is none of these.
    """
    word = text.strip().lower()  # spreadsheets begin a word with a capital
    if word in (Verdict.KEEP, Verdict.UNSURE):
        return Verdict(word), None
    grade = int(text.removesuffix(".0")) if text.removesuffix(".0").isdecimal() else None
    if grade not in values:
        known = ", ".join(map(str, values))
        raise InputError(f"{where}, field 'decision': {text!r} is no decision", f"write {known}, keep or unsure")
    return (Verdict.KEEP, None) if grade == label else (Verdict.CHANGE, grade)


def _keys(given: Mapping[str, str], inert: bool, whole: Set[str]) -> list[tuple[str, ...]]:
    """The ids and the query as they were before `inert` and as written, once each; what is likelier meant first.

    Then the same with `101.0` as 101 in the columns `whole`: a run from before that rule can have both.
    """
    written = tuple(given.get(name, "") for name in _KEY)
    keys = [tuple(map(restored, written)), written]
    keys = keys if inert else keys[::-1]
    ids = [tuple(whole_id(text) if name in whole else text for name, text in zip(_KEY, k, strict=True)) for k in keys]
    return list(dict.fromkeys(keys + ids))
