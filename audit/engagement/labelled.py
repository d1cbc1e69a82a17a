"""A run's labels with what engagement says of each pair: the evidence before it is weighed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audit.engagement.counts import Floats, Ints
from audit.engagement.examination import Examination
from audit.engagement.trials import Trials, choose
from judge.errors import InputError
from judge.ratings.layout import RatingsLayout
from judge.ratings.reader import read_ratings
from judge.ratings.remembered import settle_layout
from judge.run.lookup import find_pairs, match_queries
from judge.run.store import Run
from judge.tables.ids import whole_id_sql
from judge.words.normalise import same_words, same_words_before

TRUST = 0.9
"""How far a grade without probabilities is believed before engagement is looked at; the rest goes to its neighbours
first."""
UNLIKELY = 1e-9
"""The least chance of a grade that a label states: one of 0 could never be doubted."""
COUNTS = (
    *("impressions", "examined", "clicks", "debiased_clicks", "carts", "purchases"),
    *("unused", "unused_clicks"),
)
"""What is 0 of a pair that the events say nothing of."""


@dataclass(frozen=True)
class LabelledPairs:
    """People's grades: a file with `query, candidate_id` and a grade, our names to its columns, and what it writes."""

    path: Path
    mapping: Mapping[str, Sequence[str]]
    grades: Mapping[str, int | None] | None = None
    name: str | None = None
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Labelled:
    """The graded pairs of a run, arrays of shape (N,), in the order of their first row. Counts are floats."""

    row: Ints
    query_id: list[str]
    query: list[str]
    candidate_id: list[str]
    candidate: list[Mapping[str, str]]
    grade: Ints
    """The grade's position in the guideline, 0..K-1."""
    probabilities: Floats
    """Shape (N, K); rows of NaN where the label brought none."""
    people: Ints
    """Positions of people's grades; -1 where there is none."""
    index: Ints
    """Queries numbered from 0."""
    impressions: Floats
    examined: Floats
    """Impressions weighed by the chance that they were looked at."""
    live: Floats
    """Examined impressions in searches where something was clicked; NaN where single searches are not known."""
    clicks: Floats
    debiased_clicks: Floats
    """Clicks less those that trust in the position explains."""
    carts: Floats
    purchases: Floats
    unused: Floats
    """Impressions at positions whose examination cannot be told."""
    unused_clicks: Floats
    """Clicks at those positions."""
    trials: Trials
    """What carts and purchases are counted against."""
    sharpness: float = 1.0
    """The exponent of what labels claim (`audit.engagement.three_views`)."""

    def __len__(self) -> int:
        return len(self.row)

    def prior(self, grades: int) -> Floats:
        """P(grade) before engagement: the label's probabilities, or what `TRUST` says; shape (N, K)."""
        apart = np.abs(np.arange(grades) - self.grade[:, None])
        rest = np.where(apart > 0, 0.5**apart, 0)
        stated = np.where(apart == 0, TRUST, (1 - TRUST) * rest / rest.sum(axis=1, keepdims=True))
        stated = np.where(np.isnan(self.probabilities), stated, self.probabilities)
        claimed = np.maximum(stated, UNLIKELY) ** self.sharpness
        return np.asarray(claimed / claimed.sum(axis=1, keepdims=True))


def match(db: Any, run: Run, ratings: LabelledPairs | None) -> None:
    """Make the tables `labelled` (a run's graded pairs) and `matched` (their queries and those of the events).

    Which query of the run one of the events means, `judge.run.lookup` says.
    """
    values = run.manifest.values
    people = _people(run, ratings) if ratings else {}
    with run.database() as other:
        found = other.sql("""SELECT l.row, l.query_id, p.query, l.candidate_id, p.candidate, l.grade,
            l.probabilities FROM labels l JOIN pairs p USING (row) WHERE l.grade IS NOT NULL ORDER BY l.row""")
        table = found.to_arrow_table()
    import pyarrow as pa

    keys = zip(table["query_id"].to_pylist(), table["candidate_id"].to_pylist(), strict=True)
    place = {value: index for index, value in enumerate(values)}
    table = table.append_column("people", pa.array([place.get(people.get(k), -1) for k in keys], pa.int32()))  # type: ignore[arg-type]
    order = pa.array([place[g] for g in table["grade"].to_pylist()], pa.int32())
    db.register("labelled_rows", table.append_column("level", order))
    db.execute("""CREATE TABLE labelled AS
        SELECT *, dense_rank() OVER (ORDER BY query_id) - 1 AS index FROM labelled_rows""")
    # Shoppers' words are the words of every query of the run that has them, in any spelling.
    db.execute("""CREATE TABLE named_queries AS SELECT q, CASE WHEN given THEN text END AS query_id,
        CASE WHEN given THEN words ELSE text END AS query FROM query_keys""")
    words = same_words if run.manifest.normalisation > 1 else same_words_before
    match_queries(db, "SELECT query_id, query FROM named_queries", "SELECT query_id, query FROM labelled", words)
    db.execute("""CREATE TABLE matched AS SELECT DISTINCT n.q, m.query_id FROM named_queries n
        JOIN meant m ON m.asked_id = coalesce(n.query_id, '') AND m.asked_text = coalesce(n.query, '')""")
    # A run from before `101.0` was read as 101 has it still.
    db.execute("""CREATE TABLE matched_candidates AS SELECT k.c, l.candidate_id
        FROM candidate_keys k JOIN (SELECT DISTINCT candidate_id FROM labelled) l USING (candidate_id)""")
    db.execute(f"""INSERT INTO matched_candidates SELECT k.c, l.candidate_id
        FROM candidate_keys k JOIN (SELECT DISTINCT candidate_id FROM labelled) l
        ON k.candidate_id = {whole_id_sql("l.candidate_id")} WHERE k.c NOT IN (SELECT c FROM matched_candidates)""")


def count_used(db: Any) -> int:
    """Rows of the events that are about labelled pairs. Needs `match` first."""
    return int(
        db.execute("""SELECT coalesce(sum(used), 0) FROM cells JOIN (
            SELECT DISTINCT m.q, k.c FROM labelled l JOIN matched m USING (query_id)
            JOIN matched_candidates k ON k.candidate_id = l.candidate_id) USING (q, c)""").fetchone()[0]
    )


def gather(db: Any, examination: Examination, grades: int) -> Labelled:
    """Weigh every labelled pair's impressions by where people looked. Needs `match` first."""
    import pyarrow as pa

    position, last, seen, trust = examination.table()
    db.register(
        "contexts", pa.table({"position": position, "last": last, "seen": pa.array(seen, pa.float64()), "trust": trust})
    )
    counted = db.sql("""
        WITH pairs AS (SELECT DISTINCT query_id, candidate_id FROM labelled),
        counted AS (
            SELECT m.query_id, k.candidate_id, sum(impressions) AS impressions, sum(clicks) AS clicks,
                -- Rounded: threads add up in any order, and the same events must rank the pairs the same.
                round(sum(impressions * seen * (1 - trust)), 9) AS examined, round(sum(live * seen), 9) AS live,
                -- Not below 0 as a whole: cut cell by cell, what chance adds would stay and what it takes would not.
                greatest(round(sum(CASE WHEN seen IS NOT NULL THEN clicks - impressions * seen * trust END), 9), 0)
                    AS debiased_clicks,
                coalesce(sum(carts), 0) AS carts, coalesce(sum(purchases), 0) AS purchases,
                sum(CASE WHEN seen IS NULL THEN impressions ELSE 0 END) AS unused,
                sum(CASE WHEN seen IS NULL THEN clicks ELSE 0 END) AS unused_clicks
            FROM cells JOIN matched m USING (q) JOIN matched_candidates k USING (c)
            JOIN pairs ON pairs.query_id = m.query_id AND pairs.candidate_id = k.candidate_id
            LEFT JOIN contexts x ON x.position = cells.position AND x.last = coalesce(cells.last, 0)
            GROUP BY ALL)
        SELECT l.*, c.* EXCLUDE (query_id, candidate_id) FROM labelled l
        LEFT JOIN counted c ON c.query_id = l.query_id AND c.candidate_id = l.candidate_id
        ORDER BY l.row""").to_arrow_table()
    return _labelled(counted, grades, _trials(db, counted["query_id"].to_pylist()))


def _labelled(found: Any, grades: int, trials: Trials) -> Labelled:
    """An Arrow table's rows as arrays."""
    numbers = {name: found[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in (*COUNTS, "live")}
    counts: dict[str, Floats] = {name: np.nan_to_num(numbers[name]) for name in COUNTS}
    blank = [float("nan")] * grades
    return Labelled(
        row=found["row"].to_numpy(),
        query_id=found["query_id"].to_pylist(),
        query=found["query"].to_pylist(),
        candidate_id=found["candidate_id"].to_pylist(),
        candidate=[{k: v for k, v in (c or {}).items() if v is not None} for c in found["candidate"].to_pylist()],
        grade=found["level"].to_numpy().astype(np.int64),
        probabilities=np.array([p or blank for p in found["probabilities"].to_pylist()], dtype=np.float64).reshape(
            -1, grades
        ),
        people=found["people"].to_numpy().astype(np.int64),
        index=found["index"].to_numpy(),
        live=np.where(counts["impressions"] > 0, numbers["live"], 0.0),
        **counts,
        trials=trials,
        sharpness=1.0,
    )


def _trials(db: Any, query_id: Sequence[str]) -> Trials:
    """What the carts and purchases of each pair's query are counted against; by all of the query's results."""
    beyond = ("carts_clicks", "purchases_carts", "purchases_clicks")
    sums = ", ".join(
        "sum(greatest(coalesce({}, 0) - coalesce({}, 0), 0))::DOUBLE AS {}".format(*name.split("_"), name)
        for name in beyond
    )
    found = db.sql(f"""SELECT query_id, {sums}, coalesce(sum(carts), 0)::DOUBLE AS carts,
        coalesce(sum(purchases), 0)::DOUBLE AS purchases
        FROM (SELECT DISTINCT query_id FROM labelled) LEFT JOIN matched USING (query_id) LEFT JOIN cells USING (q)
        GROUP BY query_id""").to_arrow_table()
    number = {n: np.nan_to_num(found[n].to_numpy(zero_copy_only=False)) for n in (*beyond, "carts", "purchases")}
    carts, purchases = choose(number, number["carts"], number["purchases"])
    place = {name: at for at, name in enumerate(found["query_id"].to_pylist())}
    own = np.array([place[name] for name in query_id], dtype=np.int64)
    return Trials(carts[own], purchases[own])


def _people(run: Run, ratings: LabelledPairs) -> dict[tuple[str, str], int]:
    """People's grade of each pair of the run; a file with two grades of a pair is refused, as is one of other pairs."""
    guideline = run.manifest.policy
    layout = RatingsLayout(ratings.mapping, ratings.grades or {}, one_grade=True, encoding=ratings.encoding)
    settled = settle_layout(layout, ratings.path, [run], guideline)
    read = read_ratings(ratings.path, settled, guideline.values, ratings.name)
    with run.database() as db:
        db.register("ratings", read.table)
        db.execute("""CREATE TABLE keys AS SELECT row_number() OVER () AS place, query_id, query, candidate_id, grade
            FROM ratings""")
        find_pairs(db)
        rows = db.execute("""SELECT DISTINCT p.query_id, p.candidate_id, k.grade
            FROM found f JOIN keys k USING (place) JOIN pairs p ON p.row = f.row""").fetchall()
    if not rows:
        raise InputError(
            f"{ratings.name or ratings.path}: none of its rated pairs is in {run.path}",
            "give the run's query_id or the query's text, and the run's candidate_id",
        )
    grades = {(query_id, candidate_id): grade for query_id, candidate_id, grade in rows}
    if len(grades) < len(rows):
        twice = next(candidate for (_, candidate), n in Counter(row[:2] for row in rows).items() if n > 1)
        raise InputError(
            f"{ratings.name or ratings.path}: rates candidate {twice!r} of one query twice, under ids of its own",
            "keep one grade for each pair of the run",
        )
    return grades
