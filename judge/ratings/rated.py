"""Rated pairs: what every rater gave a pair, with its texts where they are wanted."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from judge.errors import InputError
from judge.pairs.stage import Source, Staged
from judge.ratings.layout import RatingsLayout
from judge.ratings.reader import Ratings, stage_ratings
from judge.records import Pair
from judge.words.guideline import Guideline

ONE = "grade"
"""The rater of a file that names none, in a judge's training data: it is part of a training's key."""


@dataclass(frozen=True)
class RatingsFile:
    """What the user gave.

    Args:
        source: The file of ratings, the catalogue and how to read them; its `grades` say what the file's grades mean.
        raters: The raters' columns, or the raters to take of a file with a `rater` column; all unless given.
    """

    source: Source
    raters: Sequence[str] = ()


@dataclass(frozen=True)
class Rated:
    """A pair, and what each rater gave it."""

    pair: Pair
    votes: Mapping[str, int]
    means: Mapping[str, float] = field(default_factory=dict)
    """What raters gave on the guideline's scale, of those whose vote is a mean and was cut to a grade."""
    clause: str | None = None
    """The guideline's clause that a rater invoked: the first that the file has for the pair."""


@dataclass(frozen=True)
class Read:
    """What a file of ratings came to."""

    rated: list[Rated]
    left_out: Mapping[str, int]
    """What is wrong with rows and grades that were skipped, by kind."""


def rated_pairs(ratings: Ratings) -> list[Rated]:
    """All rated pairs without their texts, as they first appear."""
    found: dict[tuple[str, str], Rated] = {}
    for row, given in zip(ratings.table["row"].to_pylist(), ratings, strict=True):
        key = given.query_id, given.candidate_id
        rated = found.setdefault(key, Rated(Pair(row, given.query_id, given.query, given.candidate_id, {}), {}))
        who = ONE if ratings.alone else given.rater
        _add(rated, {who: given.grade}, {} if given.mean is None else {who: given.mean})
    return list(found.values())


def _add(rated: Rated, votes: Mapping[str, int], means: Mapping[str, float]) -> None:
    """Add what raters gave to a pair that is being read."""
    assert isinstance(rated.votes, dict)
    assert isinstance(rated.means, dict)
    rated.votes.update(votes)
    rated.means.update(means)


def read_rated(ratings: RatingsFile, guideline: Guideline, directory: Path) -> Read:
    """All rated pairs that have a text, in judging order; writes scratch files into `directory`.

    Raises:
        InputError: The files cannot be used, rows are wrong and not to be skipped, or no pair has a grade.
    """
    source = ratings.source
    layout = RatingsLayout(source.mapping, source.grades or {}, ratings.raters, skip_bad_rows=source.skip_bad_rows)
    # Texts are asked for below, where the message can say for what.
    staged, read = stage_ratings(replace(source, need_text=False), layout, guideline, directory, directory)
    staged.refuse(skip_bad_rows=source.skip_bad_rows)
    read.check()
    votes: dict[int, tuple[dict[str, int], dict[str, float]]] = {}
    clauses: dict[int, str] = {}
    names = ("row", "rater", "grade", "mean", "clause")
    for number, rater, grade, mean, clause in zip(*(read.table[name].to_pylist() for name in names), strict=True):
        grades, means = votes.setdefault(number, ({}, {}))
        who = ONE if read.alone else rater
        grades[who] = grade
        if mean is not None:
            means[who] = mean
        if clause:
            clauses.setdefault(number, clause)
    found: dict[tuple[str, str], Rated] = {}
    wrong: Counter[str] = Counter()
    empty: list[int] = []
    for row in _rows(staged):
        given = votes.get(row["row"])
        if given is None:
            continue
        if (kind := (row["skip"] or "").partition(":")[0]) in staged.kinds:  # what is wrong with its texts
            wrong[kind] += 1
        elif source.need_text and not any((row["candidate"] or {}).values()):
            empty.append(row["row"])
        else:
            new = Rated(_pair(row), {}, {}, clauses.get(row["row"]))
            rated = found.setdefault((row["query_id"], row["candidate_id"]), new)
            _add(rated, *given)
    if empty and not source.skip_bad_rows:
        raise InputError(
            f"{read.file}, row {min(empty)}: the candidate has no text to learn from ({len(empty):,} such rows)",
            "give --catalogue FILE, map more fields with --map, or leave the rows out with --skip-bad-rows",
        )
    if not found:
        raise InputError(f"{read.file}: no rated pair has a text", "give --catalogue FILE, or map fields with --map")
    return Read(list(found.values()), {**read.left_out, **wrong, **({"no_text": len(empty)} if empty else {})})


def _rows(staged: Staged) -> Iterator[dict[str, Any]]:
    """Rows as staged, in judging order."""
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(staged.path).iter_batches():
        yield from batch.to_pylist()


def _pair(row: Mapping[str, Any]) -> Pair:
    texts = {name: text for name, text in (row["candidate"] or {}).items() if text is not None}
    named = {name: row[name] for name in ("row", "query_id", "query", "candidate_id", "locale")}
    return Pair(**named, candidate=texts)
