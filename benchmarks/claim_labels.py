"""Four kinds of labels for the same pairs of Home Depot: true ones, ones with errors, those audited, and raw clicks."""

import csv
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.worlds import WORLDS
from judge.words.similar import query_groups

ERRORS, RIGHT, REVIEWED, MEDIAN = 0.2, 0.85, 0.1, 1000
"""Share of wrong labels; of a reviewer's right decisions; of reviewed pairs; impressions of the median pair."""


@dataclass(frozen=True)
class Pairs:
    """Rated pairs, of shape (N,); queries are numbered by the words they have in common."""

    query: np.ndarray
    text: list[str]
    product: list[str]
    title: list[str]
    grade: np.ndarray

    def of(self, wanted: np.ndarray) -> "Pairs":
        """Those of some queries, in their order."""
        rows = np.flatnonzero(np.isin(self.query, wanted))
        picked = ([column[row] for row in rows] for column in (self.text, self.product, self.title))
        return Pairs(self.query[rows], *picked, self.grade[rows])


def read(path: Path) -> Pairs:
    """Home Depot on three levels: a mean up to 5/3 is 0, up to 7/3 is 1, above is 2."""
    with path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    mean = np.array([float(row["relevance"]) for row in rows])
    names = query_groups([row["query"] for row in rows])
    number = {name: at for at, name in enumerate(dict.fromkeys(names))}
    columns = ([row[name] for row in rows] for name in ("query", "product_id", "title"))
    grade = (mean > 5 / 3).astype(int) + (mean > 7 / 3)
    return Pairs(np.array([number[name] for name in names]), *columns, grade)


def with_errors(grade: np.ndarray, rng: np.random.Generator, share: float = ERRORS) -> np.ndarray:
    """Labels of which a share is wrong: by one grade where that can be told apart from two, four times in five."""
    near = np.where(grade == 1, rng.choice([0, 2], len(grade)), 1)
    far = np.where(grade == 1, rng.choice([0, 2], len(grade)), 2 - grade)
    wrong = np.where(rng.random(len(grade)) < 0.8, near, far)
    return np.where(rng.random(len(grade)) < share, wrong, grade)


def clicked(pairs: Pairs, counts: Mapping[str, np.ndarray]) -> np.ndarray:
    """Grades from raw clicks: click rates cut where the true grades' shares are, which is kind to clicks."""
    size = len(pairs.grade)
    seen, clicks = (np.bincount(counts["pair"], counts[name], size) for name in ("impressions", "clicks"))
    rate = np.where(seen > 0, clicks / np.maximum(seen, 1), 0.0)
    order = np.argsort(np.argsort(rate, kind="stable"), kind="stable")
    return np.searchsorted(np.cumsum(np.bincount(pairs.grade, minlength=3))[:2], order, side="right")


def audited(pairs: Pairs, label: np.ndarray, counts: Mapping[str, np.ndarray], folder: Path, seed: int) -> np.ndarray:
    """Labels after `judge audit`, and a review of the first flags by someone who is right `RIGHT` of the time."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = [f"P{row}" for row in range(len(label))]
    queries = [f"query {number}" for number in pairs.query]
    table = {"query": queries, "candidate_id": keys, "title": pairs.title, "grade": label}
    pq.write_table(pa.table(table), folder / "labels.parquet")
    told = {name: values for name, values in counts.items() if name not in ("pair", "looked_at")}
    shown = {"query": [queries[p] for p in counts["pair"]], "candidate_id": [keys[p] for p in counts["pair"]]}
    pq.write_table(pa.table(shown | told), folder / "events.parquet")
    limit = str(round(REVIEWED * len(label)))
    judge("import", folder / "labels.parquet", "--out", folder / "run")
    judge("audit", folder / "run", folder / "events.parquet", "--out", folder / "audit", "--fdr", "0.5", "--overwrite")
    judge("queue", folder / "run", "--to", "csv", "--out", folder / "queue.csv", "--limit", limit, "--overwrite")
    with (folder / "queue.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    if not rows:  # nothing was flagged
        return label
    rng = np.random.default_rng([seed, 7])
    for row in rows:
        truth = int(pairs.grade[int(row["candidate_id"][1:])])
        row["decision"] = str(truth if rng.random() < RIGHT else (truth + rng.integers(1, 3)) % 3)
    with (folder / "decided.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    judge("decide", folder / "run", folder / "decided.csv", "--author", "simulated")
    out = folder / "export.parquet"
    judge("export", folder / "run", "--to", "parquet", "--out", out, "--overwrite")
    kept = pq.read_table(out, columns=["candidate_id", "grade"]).to_pylist()
    final = label.copy()
    final[[int(row["candidate_id"][1:]) for row in kept]] = [row["grade"] for row in kept]
    return final


def judge(*given: object) -> None:
    """One command of ours."""
    subprocess.run(
        [sys.executable, "-m", "relevance_judge.cli.main", *map(str, given)], check=True, capture_output=True
    )


def labels(arm: str, pairs: Pairs, seed: int, folder: Path, errors: float = ERRORS) -> np.ndarray:
    """The labels of an arm: `clicks-WORLD`, `unaudited`, `audited-WORLD` or `true`; `errors` of them are wrong."""
    kind, _, world = arm.partition("-")
    wrong = with_errors(pairs.grade, np.random.default_rng([seed, 1]), errors)
    if not world:
        return pairs.grade if kind == "true" else wrong
    _, number = np.unique(pairs.query, return_inverse=True)
    shop = WORLDS[world](pairs.grade, number, MEDIAN, np.random.default_rng([seed, 2, list(WORLDS).index(world)]))
    if kind == "clicks":
        return clicked(pairs, shop.counts)
    return audited(pairs, wrong, shop.counts, folder / f"{arm}-{seed}", seed)
