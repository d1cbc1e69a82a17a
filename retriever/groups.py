"""A listwise set and its ids in; queries out, each with its documents and their grades."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from judge.documents import Kind, reading
from judge.errors import InputError
from judge.fingerprint import digest, file_digest
from judge.words.normalise import same_words

ROWS = "rows.parquet"
"""The ids of a set's rows, next to its texts."""
LEFT_OUT = "left_out.parquet"
"""Products that were graded for a set's queries and are in no list, next to it where there are some."""
EXPORT = "export it again: judge export RUN --to listwise --splits train=.9,test=.1 --out SET"
DAMAGED = Kind(EXPORT, InputError)
TEXTS, IDS = ("query", "docs", "labels"), ("split", "place", "query_id", "candidate_id", "grade")
MORE = ("locale", "expected_grade", "hard")
"""Columns of the ids that older sets, and sets of other pairs, do not have."""
HARD = ("hard_negative", "hard_positive")


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a query's list."""

    id: str
    text: str
    key: str
    """What it has in common with other texts of the same words."""
    grade: int
    expected: float | None = None
    """The grade that a calibrated judge expects; null where there is none."""

    def value(self, soft: bool) -> float:
        """Its grade, or the expected one."""
        return self.expected if soft and self.expected is not None else self.grade


@dataclass(frozen=True, slots=True)
class Group:
    """A query with its judged documents."""

    id: str
    query: str
    key: str
    locale: str | None
    documents: tuple[Document, ...]
    aside: frozenset[str] = frozenset()
    """Ids of products that were graded for it, and are in no list."""


@dataclass(frozen=True)
class Groups:
    """A set's queries, and what was read."""

    path: Path
    split: str
    groups: Sequence[Group]
    digest: str
    """Over the files that were read."""
    grades: Mapping[int, int]
    """Pairs by grade, ascending."""
    hard: Mapping[str, int] = field(default_factory=dict)
    """Pairs that mining found hard, by what they are: `hard_negative`, `hard_positive`."""

    @property
    def pairs(self) -> int:
        """All of them."""
        return sum(self.grades.values())


def read_groups(path: Path, split: str = "train", *, soft: bool = False, least: int = 2) -> Groups:
    """Read a split of a listwise set, in which there are at least so many different grades.

    Raises:
        InputError: The folder, a file, a column or a row cannot be used; names it.
    """
    texts, ids = _files(path, split)
    hard: Counter[str] = Counter()
    files = [texts, ids, *([path / LEFT_OUT] if (path / LEFT_OUT).is_file() else [])]
    aside = _left_out(files[2:], split)
    groups = [replace(g, aside=frozenset(aside.get(g.id, ()))) for g in _groups(texts, ids, split, soft, hard)]
    grades = Counter(document.grade for group in groups for document in group.documents)
    if len(grades) < least:
        what = f"only grade {next(iter(grades))}" if grades else "no pairs"
        raise InputError(f"{path}: has {what}, and a retriever learns from differences", "label pairs of other grades")
    counts = dict(sorted(grades.items())), dict(sorted(hard.items()))
    return Groups(path, split, groups, digest([file_digest(file) for file in files]), *counts)


def has_split(path: Path, split: str) -> bool:
    """Whether a set has a split of this name."""
    return bool(sorted(path.glob(f"{split}-*.parquet")))


def _files(path: Path, split: str) -> tuple[Path, Path]:
    if not path.is_dir():
        raise InputError(f"{path}: is not the folder of a listwise set", EXPORT)
    found = sorted(path.glob(f"{split}-*.parquet"))
    if not found:
        raise InputError(f"{path}: has no split {split!r}", EXPORT)
    if len(found) > 1:
        raise InputError(f"{path}: its split {split!r} is in {len(found)} files", EXPORT)
    if not (path / ROWS).is_file():
        raise InputError(f"{path}: has no {ROWS}, which says which products its texts are", EXPORT)
    return found[0], path / ROWS


def _left_out(files: Sequence[Path], split: str) -> dict[str, set[str]]:
    """By query, products that were graded for it and are in none of a split's lists."""
    found: dict[str, set[str]] = {}
    for file in files:
        for row in _table(file, ("split", "query_id", "candidate_id")).to_pylist():
            if row["split"] == split:
                found.setdefault(row["query_id"], set()).add(row["candidate_id"])
    return found


def _groups(texts: Path, ids: Path, split: str, soft: bool, hard: Counter[str]) -> Iterator[Group]:
    lists, rows = _table(texts, TEXTS).to_pylist(), _table(ids, IDS).to_pylist()
    kept = [row for row in rows if row["split"] == split]
    if soft and all(row.get("expected_grade") is None for row in kept):
        raise InputError(f"{ids}: has no expected grades", "label with a judge that gives probabilities, or leave soft")
    hard.update(mark for row in kept if (mark := row.get("hard")) in HARD)
    by_list = {place: list(some) for place, some in groupby(kept, key=lambda row: row["place"])}
    if beyond := sum(len(own) for place, own in by_list.items() if place not in range(len(lists))):
        raise InputError(f"{ids}: has {beyond:,} rows of lists that {texts.name} does not hold", EXPORT)
    for place, row in enumerate(lists):
        where = f"{texts}, row {place + 1}"
        own = by_list.get(place, [])
        _check(row, own, where)
        documents = tuple(
            Document(said["candidate_id"], text, same_words(text), grade, said.get("expected_grade"))
            for text, grade, said in zip(row["docs"], row["labels"], own, strict=True)
        )
        yield Group(own[0]["query_id"], row["query"], same_words(row["query"]), own[0].get("locale"), documents)


def _table(path: Path, columns: Sequence[str]) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with reading(path, DAMAGED):
        table = pq.read_table(path)
    if missing := [name for name in columns if name not in table.column_names]:
        what = "no grades (labels)" if missing == ["labels"] else f"no column {missing[0]!r}"
        raise InputError(f"{path}: has {what}", EXPORT)
    kinds = {"docs": pa.list_(pa.string()), "labels": pa.list_(pa.int64()), "place": pa.int64(), "grade": pa.int64()}
    kinds["expected_grade"] = pa.float64()
    table = table.select([name for name in table.column_names if name in (*columns, *MORE)])
    with reading(path, DAMAGED, "a column is of another kind than texts, grades and ids"):
        return table.cast(pa.schema([(name, kinds.get(name, pa.string())) for name in table.column_names]))


def _check(row: Mapping[str, Any], own: Sequence[Mapping[str, Any]], where: str) -> None:
    """Refuse a list that is not whole, or is another than its ids say."""
    docs, labels = row["docs"] or [], row["labels"] or []
    if not (row["query"] or "").strip():
        raise InputError(f"{where}: its query is empty", EXPORT)
    if not docs:
        raise InputError(f"{where}: has no documents", EXPORT)
    if len(docs) != len(labels) or [said["grade"] for said in own] != labels:
        raise InputError(f"{where}: its grades are others than those of {ROWS}", EXPORT)
    for number, (text, grade) in enumerate(zip(docs, labels, strict=True), 1):
        if not (text or "").strip():
            raise InputError(f"{where}: document {number} has no text", EXPORT)
        if grade is None or grade < 0:
            raise InputError(f"{where}: document {number} has no grade", "leave it out, or grade it")
