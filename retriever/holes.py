"""What nobody judged among the first results: the judge's grades in their place, and how far those are off.

A judge's grades are not people's, so a figure with them stands in a column of its own. What it would be with people's
grades is estimated from a random sample of the holes that people rated: prediction-powered inference, for figures that
are means over results (precision, and the discounted gain as a share of the highest possible). NDCG is none: it is only
shown filled.
"""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from judge.errors import InputError
from judge.files import new_file
from judge.ratings.panel import Panel
from judge.run.decided import Decided
from judge.run.lookup import match_queries
from judge.run.store import Run
from judge.search.catalogue import Catalogue
from judge.sql import in_memory
from judge.statistics.prediction_powered import Sums, powered_mean
from judge.tables.values import SAMPLED, inert
from retriever.gold import UNJUDGED, Gold, gold_of
from retriever.measures import Cut, Floats, discounts
from retriever.ranked import Ints, Ranked

Mask = npt.NDArray[np.bool_]
HEAD = (*SAMPLED, "title", "grade")
"""The columns of the holes: of a file that people fill in, whose readers give cells back as they were."""


@dataclass(frozen=True)
class Corrected:
    """A mean over the first results: the judge's grades in the holes, put right by the sample."""

    value: float | None
    low: float | None
    high: float | None
    """95%, of these queries: what it would be if people rated every hole."""
    reason: str | None
    judge_only: float | None
    """With the judge's grades as they are."""
    power: float | None
    """The weight on the judge, 0 to 1."""


@dataclass(frozen=True)
class Filling:
    """What became of one system's holes."""

    results: int
    """First results of all queries."""
    holes: int
    """Those that nobody judged."""
    filled: int
    """Holes that the judge graded; the others count as 0."""
    rated: int
    """Filled holes that people rated in the sample."""
    corrected: Mapping[str, Corrected]
    """By measure; empty without a sample."""


@dataclass(frozen=True)
class Judge:
    """A judge's grades as more gold, for the pairs that people did not judge."""

    grades: Gold
    sample: Gold | None = None
    """People's grades of a random sample of those pairs."""

    def filled(self, gold: Gold) -> Gold:
        """People's grades, and the judge's where there are none."""
        places, grades = [], []
        for at in range(len(gold.queries)):
            more = self.grades.graded(at, self.grades.places[at])
            new = ~np.isin(self.grades.places[at], gold.places[at])
            both = np.concatenate([gold.places[at], self.grades.places[at][new]])
            order = np.argsort(both)
            places.append(both[order])
            grades.append(np.concatenate([gold.grades[at], more[new]])[order])
        return Gold(**{**vars(gold), "places": places, "grades": grades})


def read_judge(run: Run, gold: Gold, catalogue: Catalogue) -> Judge:
    """A labelled run's grades for the queries of the gold, decisions applied.

    Raises:
        InputError: The run labels none of these queries, or has other grades.
        RunError: It cannot be read.
    """
    if run.manifest.values != tuple(gold.values):
        ours, theirs = (", ".join(map(str, values)) for values in (gold.values, run.manifest.values))
        raise InputError(
            f"--fill {run.path}: has the grades {theirs}, and people's are {ours}", "label by one guideline"
        )
    settled = Decided.of(run).settled
    found: list[dict[int, int]] = [{} for _ in gold.queries]
    sql = """SELECT l.query_id, p.query, l.candidate_id, l.grade FROM labels l JOIN pairs p USING (row)
        WHERE l.candidate_id IS NOT NULL AND l.status <> 'skipped' ORDER BY row"""
    rows = run.query(sql)
    meant = _meant(gold, {(row[0] or "", row[1] or "") for row in rows})
    for query_id, words, candidate_id, own in rows:
        decision = settled.get((query_id, candidate_id))
        grade = decision.grade if decision and decision.grade is not None else own
        place = catalogue.find(candidate_id)
        if place is not None and grade is not None:
            for at in meant.get((query_id or "", words or ""), ()):
                found[at].setdefault(place, grade)
    if not any(found):
        raise InputError(f"{run.path}: grades no pair of these queries", "label the file of --holes, and give that run")
    tables = [np.array(sorted(some.items()), np.int64).reshape(-1, 2).T for some in found]
    filled = {"places": [table[0] for table in tables], "grades": [table[1] for table in tables]}
    return Judge(Gold(**{**vars(gold), **filled}))


def read_sample(panel: Panel, gold: Gold, catalogue: Catalogue) -> Gold:
    """People's grades of a random sample of the holes, aligned with the gold's queries.

    Raises:
        InputError: They are of none of these queries.
    """
    sample = gold_of(panel, catalogue)
    meant = _meant(gold, {(query.id, query.words) for query in sample.queries})
    at = {
        ours: theirs for theirs, query in enumerate(sample.queries) for ours in meant.get((query.id, query.words), ())
    }
    empty = np.zeros(0, np.int64)
    places = [sample.places[at[ours]] if ours in at else empty for ours in range(len(gold.queries))]
    grades = [sample.grades[at[ours]] if ours in at else empty for ours in range(len(gold.queries))]
    if not any(map(len, places)):
        raise InputError(f"{panel.file}: rates none of these queries", "have people rate rows of the file of --holes")
    return Gold(**{**vars(gold), "places": places, "grades": grades})


def _meant(gold: Gold, asked: Collection[tuple[str, str]]) -> dict[tuple[str, str], list[int]]:
    """The places of the gold's queries that others' ids and words mean, as `judge.run.lookup` has it."""
    import pyarrow as pa

    schema = pa.schema({"query_id": pa.string(), "query": pa.string()})
    at = {query.id: place for place, query in enumerate(gold.queries)}
    found: dict[tuple[str, str], list[int]] = {}
    with in_memory() as db:
        for name, rows in (("asked", sorted(asked)), ("known", [(query.id, query.words) for query in gold.queries])):
            keys = [{"query_id": query_id, "query": words} for query_id, words in rows]
            db.register(name, pa.Table.from_pylist(keys, schema=schema))
        match_queries(db, "SELECT query_id, query FROM asked", "SELECT query_id, query FROM known")
        for *key, ours in db.sql("SELECT DISTINCT asked_id, asked_text, query_id FROM meant").fetchall():
            found.setdefault((key[0], key[1]), []).append(at[ours])
    return found


def filling(ranked: Ranked, gold: Gold, judge: Judge, cut: Cut) -> Filling:
    """What the judge's grades come to in one system's first results."""
    sample, rows = judge.sample, []
    for at, one in enumerate(ranked.lists):
        places = one.places[: cut.k]
        people, said = gold.graded(at, places), judge.grades.graded(at, places)
        rated = sample.graded(at, places) if sample else np.full(len(places), UNJUDGED)
        rows.append((np.arange(len(places)), people, said, rated))
    rank, people, said, rated = (np.concatenate(column) for column in zip(*rows, strict=True))
    query = np.repeat(np.arange(len(rows)), [len(row[0]) for row in rows])
    hole = people == UNJUDGED
    usable = hole & (said != UNJUDGED)
    known = usable & (rated != UNJUDGED)
    corrected = {}
    if sample is not None:
        masks = hole, usable, known
        hits = [(grades >= cut.relevant).astype(np.float64) for grades in (people, said, rated)]
        corrected[f"precision@{cut.k}"] = _corrected(hits, np.ones(cut.k), (rank, query), masks, len(rows))
        best = cut.worth(np.array([max(gold.values)]))[0]
        worth = [cut.worth(grades) / best for grades in (people, said, rated)]
        corrected[f"gain@{cut.k}"] = _corrected(worth, discounts(cut.k), (rank, query), masks, len(rows))
    return Filling(len(rank), int(hole.sum()), int(usable.sum()), int(known.sum()), corrected)


def _corrected(
    told: Sequence[Floats], weights: Floats, at: tuple[Ints, Ints], masks: tuple[Mask, Mask, Mask], queries: int
) -> Corrected:
    """A mean over the first results, `weights` by rank; `at` has each result's rank from 0, and its query."""
    people, said, rated = told
    rank, query = at
    weight, total = weights[rank], queries * weights.sum()
    hole, usable, known = masks

    def by_query(values: Floats) -> Floats:
        return np.bincount(query, values, minlength=queries).astype(np.float64)

    # The holes that the judge did not grade count as 0 on all sides: they are no part of what is estimated.
    found = powered_mean(
        Sums(
            by_query(weight * usable),
            by_query(weight * known),
            by_query(weight * said * usable),
            by_query(weight * said * known),
            by_query(weight * rated * known),
            float(usable.sum()),
            float(known.sum()),
        )
    )
    # Places that a system leaves empty count as 0, as everywhere.
    fixed, share = (weight * people * ~hole).sum(), (weight * usable).sum()

    def whole(mean: float | None) -> float | None:
        return None if mean is None else float((fixed + share * mean) / total)

    estimate = found.powered
    return Corrected(
        whole(estimate.value),
        whole(estimate.low),
        whole(estimate.high),
        estimate.reason,
        whole(found.judge_only),
        found.power,
    )


def write_holes(out: Path, systems: Sequence[Ranked], gold: Gold, catalogue: Catalogue, cut: Cut, seed: int) -> int:
    """Write the pairs of the first results of any system that nobody judged, as CSV in a random order: a file for
    `judge label`, whose first rows are a random sample for people. Returns its rows."""
    pairs = {
        (at, int(place))
        for system in systems
        for at, one in enumerate(system.lists)
        for place, grade in zip(one.places[: cut.k], gold.graded(at, one.places[: cut.k]), strict=True)
        if grade == UNJUDGED
    }

    def drawn(pair: tuple[int, int]) -> bytes:
        names = f"{seed}\x1f{gold.queries[pair[0]].id}\x1f{catalogue.products[pair[1]].id}"
        return blake2b(names.encode("utf-8", "replace")).digest()

    stream = io.StringIO(newline="")
    sheet = csv.writer(stream)
    sheet.writerow(HEAD)
    for at, place in sorted(pairs, key=drawn):
        query, product = gold.queries[at], catalogue.products[place]
        sheet.writerow([inert(cell) for cell in (query.id, query.words, product.id, product.title, "")])
    with new_file(out) as partial:
        partial.write_bytes(stream.getvalue().encode("utf-8", "replace"))
    return len(pairs)
