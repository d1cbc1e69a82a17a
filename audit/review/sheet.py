"""People's decisions out of a sheet that they filled in."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from judge.errors import InputError
from judge.files import now
from judge.pairs.identity import ONE
from judge.run.decisions import REFRESH, Decision, Verdict, counting
from judge.run.lookup import Key, find_pairs, key_table
from judge.run.store import Run
from judge.tables.file import USE_ENCODING
from judge.tables.ids import IDS, whole_ids
from judge.tables.problems import SHOWN
from judge.tables.rows import Row, Table
from judge.tables.values import as_text, restored

DECIDING = frozenset({"decision", "verdict"})
"""Columns of which a file must have one: otherwise it is no sheet of decisions."""
READ = frozenset(
    {"query_id", "query", "candidate_id", "author", "reason", "time", "source", "grade", "label", "judged", *DECIDING}
)


def read_decisions(
    run: Run, path: Path, author: str | None, name: str | None = None, encoding: str | None = None
) -> tuple[list[Decision], int]:
    """People's decisions out of a filled-in sheet (CSV, Excel, JSONL or Parquet), and how many rows decide nothing.

    A row may also be a line of a `decisions.jsonl`: the agreement report's, or another run's. `judge.run.lookup` says
    which pair a row means.

    Raises:
        InputError: A row names no pair of the run, or decides something that cannot be; names the row and the field.
    """
    table = Table(path, name, encoding)
    rows, read = _filled_in(table)
    # Only a sheet went through `inert`; a line of JSON has its ids as they are.
    labels = _labels(run, [given for _, given, _ in rows], table.format in (".csv", ".tsv"))
    values = run.manifest.values
    known = {*map(str, values), *Verdict}  # these say themselves, whatever a grade is named
    named = {str(grade["name"]).casefold(): str(grade["value"]) for grade in run.manifest.guideline["grades"]}
    named = {name: value for name, value in named.items() if name not in known}
    found: list[Decision] = []
    first: dict[tuple[str, str, str], tuple[int, Verdict, int | None]] = {}
    if gone := [number for place, (number, *_) in enumerate(rows) if place not in labels]:
        rest = f" (nor are rows {', '.join(map(str, gone[1:SHOWN]))}" if len(gone) > 1 else ""
        rest += (f" and {len(gone) - SHOWN:,} more)" if len(gone) > SHOWN else ")") if rest else ""
        raise InputError(
            f"{table.name}, row {gone[0]}, field 'candidate_id': is not a pair of {run.path}{rest}",
            "keep the sheet's ids and queries as they were; leave out the rows of pairs that the run no longer has",
        )
    for index, (number, given, posterior) in enumerate(rows):
        where = f"{table.name}, row {number}"
        query_id, candidate_id, label = labels[index]
        who = restored(given.get("author", "")) or author
        if not who:
            raise InputError(f"{where}, field 'author': is empty", "fill it in, or give --author NAME for all rows")
        verdict, grade = _decided(given, named, values, where, label)
        before, *said = first.setdefault((query_id, candidate_id, who), (number, verdict, grade))
        if said != [verdict, grade] and not given.get("time"):  # with times, the later one took the other back
            message = f"{where}, field 'decision': {who} decides on this pair otherwise in row {before}"
            raise InputError(message, "leave one of the two rows, or give the `time` of each")
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
                **_weighed(given, posterior, verdict, values, where),
            )
        )
    return _by_time(found), read - len(found)


def _by_time(decisions: Sequence[Decision]) -> list[Decision]:
    """What an author says of a pair in the order of its times, however the rows stand: the last one counts."""
    whose: dict[tuple[str, str, str], list[Decision]] = {}
    for decision in decisions:
        whose.setdefault(decision.whose, []).append(decision)
    ordered = {key: iter(sorted(theirs, key=lambda each: each.time)) for key, theirs in whose.items()}
    return [next(ordered[decision.whose]) for decision in decisions]


def overruled(decisions: Iterable[Decision]) -> set[tuple[str, str]]:
    """The pairs that another person settled otherwise than by the decision that counts."""
    given, last = list(decisions), dict[tuple[str, str], dict[str, Decision]]()
    for decision in given:
        if decision.source == REFRESH:  # the pair was another one before
            last.pop(decision.pair, None)
        elif decision.by_people:
            last.setdefault(decision.pair, {})[decision.author] = decision
    counts = counting(given)
    return {
        pair
        for pair, said in last.items()
        if any(each.settles and each.given != counts[pair].given for each in said.values())
    }


def _filled_in(table: Table) -> tuple[list[tuple[int, dict[str, str], Any]], int]:
    """The rows of a sheet that decide something (number, cells, posterior), and how many rows it has."""
    rows: list[tuple[int, dict[str, str], Any]] = []
    read, able = 0, table.columns is not None and not DECIDING.isdisjoint(table.columns)
    for row in table.rows():
        if not isinstance(row, Row):
            raise InputError(str(row), row.fix)
        read, able = row.number, able or not DECIDING.isdisjoint(row.values)
        given = _given(table, row)
        if given.get("decision"):
            rows.append((row.number, given, row.values.get("posterior")))
    if not able and (read or table.columns is not None):
        there = f"; it has {', '.join(table.columns)}" if table.columns is not None else ""
        raise InputError(
            f"{table.name}, row 1, field 'decision': missing{there}", "fill in the sheet that `judge queue` writes"
        )
    for name in IDS:
        for (_, given, _), text in zip(rows, whole_ids([given.get(name) for _, given, _ in rows]), strict=True):
            given |= {} if text is None else {name: text}
    return rows, read


def _decided(
    given: Mapping[str, str], named: Mapping[str, str], values: Sequence[int], where: str, label: int | None
) -> tuple[Verdict, int | None]:
    """What a row decides, and the grade that it gives; `named` are the values of the grades' names."""
    if given["decision"] == Verdict.OPINION and given["source"] == "judge":
        return Verdict.OPINION, parse_decision(given["grade"], values, where, None)[1] if given.get("grade") else None
    return parse_decision(named.get(given["decision"].casefold(), given["decision"]), values, where, label)


def _given(table: Table, row: Row) -> dict[str, str]:
    """What a row says, as text; `decision` is empty where it decides nothing.

    A line of a `decisions.jsonl` says it in `verdict`, `grade` and `label`. To keep a label is to give its grade, which
    in this run can be another one; and what a judge decided there is a judge's word here, too: its opinion, unless it
    changed the label.
    """
    given = {}
    for field in READ & row.values.keys():
        try:
            given[field] = (ONE.get(field, as_text)(row.values[field]) or "").strip()
        except ValueError as error:
            fix = USE_ENCODING if "UTF-8" in str(error) else "give text or a number"
            raise InputError(f"{table.name}, row {row.number}, field {field!r}: {error}", fix) from None
    source = "file"
    if not given.get("decision") and given.get("verdict"):
        source = "judge" if given.get("source") == "judge" else source
        if source == "judge" and given["verdict"] == Verdict.KEEP:
            given |= {"verdict": Verdict.OPINION, "grade": given.get("judged") or given.get("label", "")}
        meant: dict[str, str | None] = {Verdict.CHANGE: given.get("grade"), Verdict.KEEP: given.get("label")}
        given["decision"] = meant.get(given["verdict"]) or given["verdict"]
    return given | {"source": source}


def _weighed(
    given: Mapping[str, str], posterior: Any, verdict: Verdict, values: Sequence[int], where: str
) -> dict[str, Any]:
    """`judged` and `posterior` of a judge's decision: without them it would look like one that weighed nothing."""
    # A change to what is the label here keeps it: an opinion, for another run's evidence settles nothing in this one.
    if given["source"] != "judge" or verdict is Verdict.KEEP:
        return {}
    grades, found = {str(value): value for value in values}, {}
    known = ", ".join(grades)
    if verdict is Verdict.CHANGE and (judged := given.get("judged")):
        if judged not in grades:
            raise InputError(f"{where}, field 'judged': {judged!r} is not a grade", f"write one of {known}")
        found["judged"] = grades[judged]
    if posterior in (None, ""):
        return found
    if not isinstance(posterior, Mapping) or not posterior.keys() <= grades.keys():
        raise InputError(f"{where}, field 'posterior': is not an object of grades", f"give a chance to each of {known}")
    if not all(type(chance) in (int, float) and 0 <= chance <= 1 for chance in posterior.values()):
        raise InputError(f"{where}, field 'posterior': is not an object of chances", "give numbers between 0 and 1")
    return found | {"posterior": {grades[grade]: chance for grade, chance in posterior.items()} or None}


_KEY = ("query_id", "query", "candidate_id")


def _labels(run: Run, rows: Sequence[Mapping[str, str]], inert: bool) -> dict[int, tuple[str, str, int | None]]:
    """Each row's pair as the run has it, and its label's grade; rows of no pair are left out."""
    places = [(place, key) for place, given in enumerate(rows) for key in _keys(given, inert)]
    with run.database(keys=key_table([key for _, key in places])) as db:
        find_pairs(db)
        labels = db.execute("""
            SELECT f.place, p.query_id, p.candidate_id, l.grade FROM found f JOIN pairs p USING (row)
            JOIN labels l USING (row) WHERE l.status <> 'skipped' ORDER BY f.place""").fetchall()
    found: dict[int, tuple[str, str, int | None]] = {}
    for place, *pair in labels:
        found.setdefault(places[place][0], (pair[0], pair[1], pair[2]))
    return found


def _time(text: str, where: str) -> str:
    """When it was decided: what the row says, in UTC; now where it says nothing."""
    if not text:
        return now()
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{where}, field 'time': {text!r} is not a valid time",
            "write it like 2026-01-31T14:05:00Z, or leave it out",
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
    digits = text.strip().removesuffix(".0")
    grade = int(digits) if digits.isdecimal() and len(digits) < 10 else None
    if grade not in values:
        known = ", ".join(map(str, values))
        raise InputError(f"{where}, field 'decision': {text!r} is not a decision", f"write {known}, keep or unsure")
    return (Verdict.KEEP, None) if grade == label else (Verdict.CHANGE, grade)


def _keys(given: Mapping[str, str], inert: bool) -> list[Key]:
    """The ids and the query as they were before `inert` and as written, once each; what is likelier meant first."""
    query_id, query, candidate_id = (given.get(name, "") for name in _KEY)
    written = (query_id, query, candidate_id)
    keys: list[Key] = [(restored(query_id), restored(query), restored(candidate_id)), written]
    return list(dict.fromkeys(keys if inert else reversed(keys)))
