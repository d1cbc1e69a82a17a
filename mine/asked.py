"""The queries to mine for, of runs or of a file, and the pairs that are known of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from judge.errors import InputError
from judge.fingerprint import digest
from judge.notes import note
from judge.pairs.query_rows import REPEATED, QueryRows
from judge.records import Status, query_key
from judge.run.decided import Decided
from judge.run.store import Run
from judge.search.catalogue import Catalogue
from judge.tables.ids import whole_ids
from judge.tables.rows import Table
from judge.words.normalise import same_words


@dataclass(frozen=True)
class Asked:
    """A query, and the pairs that are known of it."""

    query_id: str
    query: str
    locale: str | None = None
    known: Mapping[str, int | None] = field(default_factory=dict)
    """A candidate's id to its grade, decisions applied; null where it was judged and has none."""


@dataclass(frozen=True)
class Queries:
    """All queries to mine for."""

    asked: Sequence[Asked]
    rows: int
    """Rows of the file of queries; of runs, their queries by id and words."""
    set_aside: Mapping[str, int]
    """Those that are none of `asked`, by reason."""
    digest: str
    """SHA-256 (hex) over the queries, and over which pairs are known, with which grades."""

    def named(self, catalogue: Catalogue) -> "Queries":
        """The same, known products by the catalogue's ids; of one that two runs name differently, the first grade
        counts."""

        def own(known: Mapping[str, int | None]) -> dict[str, int | None]:
            found: dict[str, int | None] = {}
            for key, grade in known.items():
                name = key if (at := catalogue.find(key)) is None else catalogue.products[at].id
                found[name] = grade if found.get(name) is None else found[name]
            return found

        return replace(self, asked=[replace(each, known=own(each.known)) for each in self.asked])


def read_queries(
    runs: Sequence[Run],
    file: Path | None = None,
    mapping: Mapping[str, Sequence[str]] | None = None,
    *,
    skip_bad_rows: bool = False,
    name: str | None = None,
    encoding: str | None = None,
) -> Queries:
    """The queries of a file, or of the runs where there is none, with what the runs know of them.

    A query of the file that has the words of a run's query is that query, and goes by its id.

    Raises:
        InputError: The file cannot be used, a row cannot and is not to be skipped, or there is no query.
        RunError: A run cannot be read.
    """
    known: dict[str, Asked] = {}
    named: set[tuple[str, str]] = set()
    for run in runs:
        same_grades = run.manifest.values == runs[0].manifest.values
        if not same_grades:
            note(
                f"{run.path}: has other grades than {runs[0].path}: its pairs are known, and their grades do not count"
            )
        named |= _add(known, run, same_grades)
    if file is None:
        asked, rows = list(known.values()), len(named)
        aside = {REPEATED: rows - len(asked)} if rows > len(asked) else {}
    else:
        table = Table(file, name, encoding)
        asked, rows, aside = _read(table, mapping or {}, known, skip_bad_rows)
    if not asked:
        raise InputError(
            f"{name or file or runs[0].path}: holds no query", "name a run with judged pairs, or give --queries FILE"
        )
    told = [(a.query_id, a.query, a.locale, sorted(a.known.items())) for a in asked]
    return Queries(asked, rows, aside, digest(told))


def _add(known: dict[str, Asked], run: Run, graded_alike: bool) -> set[tuple[str, str]]:
    """The queries of a run by their words, with its pairs that were judged; the first grade of a pair counts. Gives
    its queries back, each by id and words."""
    named: set[tuple[str, str]] = set()
    settled = Decided.of(run).settled
    sql = """SELECT p.query_id, p.query, p.locale, p.candidate_id, l.status, l.grade FROM pairs p
        LEFT JOIN labels l USING (row) WHERE p.query IS NOT NULL ORDER BY p.row"""
    pairs: dict[str, dict[str, int | None]] = {}
    for query_id, query, locale, candidate_id, status, grade in run.query(sql):
        words = same_words(query)
        named.add((query_id, words))
        if words not in known:
            known[words] = Asked(query_id, query, locale)
        if candidate_id is None or status in (None, Status.SKIPPED):
            continue
        decision = settled.get((query_id, candidate_id))
        final = decision.grade if decision and decision.grade is not None else grade
        some = pairs.setdefault(words, {})
        final = final if graded_alike else None
        some[candidate_id] = final if some.get(candidate_id) is None else some[candidate_id]
    for words, some in pairs.items():
        before = known[words].known
        graded = {key: grade for key, grade in before.items() if grade is not None}
        known[words] = replace(known[words], known={**before, **some, **graded})
    return named


def _read(
    table: Table, mapping: Mapping[str, Sequence[str]], known: Mapping[str, Asked], skip_bad_rows: bool
) -> tuple[list[Asked], int, dict[str, int]]:
    rows = QueryRows(table, mapping)
    found: dict[str, Mapping[str, str | None]] = {}
    words_of: dict[str, str] = {}
    for row, query, texts in rows.read():
        words, own_id = same_words(query), texts["query_id"]
        if own_id is not None and words_of.setdefault(own_id, words) != words:
            rows.conflicting(row, own_id)
        elif words in found:
            rows.repeated()
        else:
            found[words] = texts
    set_aside = rows.close(skip_bad_rows=skip_bad_rows)
    ids = whole_ids([texts["query_id"] for texts in found.values()])
    asked = []
    for (words, texts), query_id in zip(found.items(), ids, strict=True):
        query = str(texts["query"])
        own = known.get(words) or Asked(query_id or query_key(query), query)
        asked.append(replace(own, query=query, locale=texts["locale"] or own.locale))
    # An id that a run has for other words would name two queries: what the words make is no one's.
    taken = {a.query_id: words for words, a in known.items()}
    clash = {a.query_id for a in asked if taken.get(a.query_id, same_words(a.query)) != same_words(a.query)}
    asked = [replace(a, query_id=query_key(a.query)) if a.query_id in clash else a for a in asked]
    return asked, rows.rows, set_aside
