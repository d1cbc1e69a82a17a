"""Whether mined pairs may be trained on: of the judge's zeros that people rated, how many are none, by source.

A negative that is relevant trains a retriever in the wrong direction. How many there are is not known
from scores: people rate a random sample of the mined pairs, and the share among the judge's zeros is read from it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

import numpy as np

from judge.errors import InputError
from judge.pairs.origin import has_origin
from judge.ratings.reader import Ratings
from judge.records import Record
from judge.run.decided import Decided
from judge.run.lookup import find_pairs, key_table
from judge.run.store import Run
from judge.statistics.intervals import Estimate
from judge.statistics.shares import share_by_query
from mine.rankings import dispute_class, read_ranks

LOUD = 0.15
"""The share of wrong zeros above which a group must not be trained on."""
ALL = "all"
UNKNOWN = "unknown"


class GroupWorth(Record):
    """One group of mined pairs that the judge called 0 and people rated."""

    by: str
    """`all`, `source`, `relation` or `rankings`: what makes the groups."""
    group: str
    zeros: int
    """The judge's zeros of this group, rated or not."""
    rated: int
    """Those that people rated."""
    queries: int
    wrong: int
    """Those that people graded above the lowest grade."""
    share: float | None
    low: float | None
    """From here to `high`, 95% by query; null where there are too few queries."""
    high: float | None
    reason: str | None
    """Why there is no interval."""

    @property
    def advice(self) -> str:
        """`train` where the interval ends below `LOUD`, `no` where the share is above it, `unclear` between."""
        if self.share is None or self.high is None:
            return "no" if self.share is not None and self.share > LOUD else "unclear"
        return "no" if self.share > LOUD else "train" if self.high <= LOUD else "unclear"


class Worth(Record):
    """What people's ratings say of a mined run."""

    run: str
    pairs: int
    """Mined pairs in the run."""
    rated: int
    """Those that people rated."""
    not_mined: int
    """Rated pairs that the run does not have, or has from elsewhere."""
    groups: tuple[GroupWorth, ...]
    classes: Mapping[str, int]
    """Pairs by the class of their rankings, once judged; empty where none was mined from rankings."""

    @property
    def loud(self) -> tuple[GroupWorth, ...]:
        """Groups that must not be trained on."""
        return tuple(group for group in self.groups if group.advice == "no")


@dataclass(frozen=True)
class _Row:
    query: str
    zero: bool
    people: float | None
    groups: Sequence[tuple[str, str]]


def worth(run: Run, ratings: Ratings, top: int = 10) -> Worth:
    """How many of a run's zeros people agree to, by source and relation.

    Args:
        run: The run that labelled a mined file.
        ratings: People's grades of some of its pairs; of several raters the mean counts.
        top: The depth at which rankings are compared.

    Raises:
        InputError: The run was not mined, or people rated none of its pairs.
    """
    if not has_origin(run.pairs_path):
        raise InputError(
            f"{run.path}: its pairs do not say where they were mined",
            "name the run of `judge label MINED.parquet`",
        )
    given: dict[tuple[str | None, str | None, str], list[int]] = defaultdict(list)
    for rating in ratings:
        given[rating.query_id, rating.query, rating.candidate_id].append(rating.grade)
    keys = list(given)
    lowest, above, *_ = run.manifest.values
    settled = Decided.of(run).settled
    with run.database(keys=key_table(keys)) as db:
        find_pairs(db)
        # Raters can spell a query each in their own way.
        meant = dict(db.execute("SELECT row, list(place) FROM found WHERE row IS NOT NULL GROUP BY row").fetchall())
        found = db.execute("""SELECT l.row, l.query_id, l.candidate_id, l.grade, p.mined FROM labels l
            JOIN pairs p USING (row) WHERE p.mined IS NOT NULL AND l.status <> 'skipped' ORDER BY l.row""").fetchall()
    rows: list[_Row] = []
    classes: dict[str, int] = defaultdict(int)
    used = known = 0
    for row, query_id, candidate_id, own, mined in found:
        decision = settled.get((query_id, candidate_id))
        grade = decision.grade if decision and decision.source == "judge" and decision.grade is not None else own
        places = meant.get(row, ())
        said = [grade for place in places for grade in given[keys[place]]]
        known += len(places)
        people = mean(said) if said else None
        used += people is not None
        groups = _groups(mined)
        if mined["systems"] and (name := dispute_class(read_ranks(mined["systems"]), grade, top, lowest)):
            classes[name] += 1
        rows.append(_Row(query_id, grade == lowest, people, groups))
    if not used:
        raise InputError(
            f"{ratings.file}: rates none of the {len(rows):,} mined pairs of {run.path}",
            "have people grade the sample that `judge mine` wrote, and give that file",
        )
    return Worth(
        run=str(run.path),
        pairs=len(rows),
        rated=used,
        not_mined=len(keys) - known,
        groups=tuple(_by_group(rows, (lowest + above) / 2)),
        classes=dict(sorted(classes.items())),
    )


def _groups(mined: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The groups of a pair: a source's are all pairs that it proposed, whoever ranks them best."""
    sources = [part.partition("=")[0] for part in (mined["found_by"] or mined["source"] or UNKNOWN).split("; ")]
    return [(ALL, ALL), *(("source", name) for name in sources), ("relation", mined["relation"] or UNKNOWN)]


def _by_group(rows: Sequence[_Row], bar: float) -> list[GroupWorth]:
    held: dict[tuple[str, str], list[_Row]] = defaultdict(list)
    for row in rows:
        if row.zero:
            for group in row.groups:
                held[group].append(row)
    order = {ALL: 0, "source": 1, "relation": 2}
    return [_group(*key, held[key], bar) for key in sorted(held, key=lambda key: (order[key[0]], key[1]))]


def _group(by: str, name: str, zeros: Sequence[_Row], bar: float) -> GroupWorth:
    rated = [row for row in zeros if row.people is not None]
    # A mean that is nearer to the lowest grade than to the next one is the lowest.
    hits = np.array([row.people is not None and row.people >= bar for row in rated], dtype=bool)
    queries = np.array([row.query for row in rated])
    found = share_by_query(queries, hits) if rated else Estimate(None, None, None, "people rated none of them")
    return GroupWorth(
        by=by,
        group=name,
        zeros=len(zeros),
        rated=len(rated),
        queries=len(set(queries.tolist())),
        wrong=int(hits.sum()),
        share=found.value,
        low=found.low,
        high=found.high,
        reason=found.reason,
    )
