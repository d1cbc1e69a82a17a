"""ESCI's queries in two parts, and the listwise sets that the arms of `benchmarks.retriever_esci` are trained on.

Every step is a verb of ours; what is there already is not made again.
"""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks.claim_labels import judge
from benchmarks.retrieval import lay_down, rows_of
from benchmarks.retriever_claim import SPLIT_SEED

TESTED, NEGATIVES, MADE = 49, 8, 4
"""Queries to test on; negatives of a query to train on, in the arms about these; products of a made query to judge."""


def write(path: Path, rows: Sequence[tuple[object, ...]], names: Sequence[str]) -> Path:
    """A CSV file, whole or absent."""
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([names, *rows])
    return partial.replace(path)


class Shop:
    """ESCI's queries in two parts, and the sets that are made of one of them."""

    def __init__(self, data: Path, out: Path) -> None:
        self.out, self.catalogue = out, out / "catalogue.csv"
        self.grades: dict[str, dict[str, int]] = {}
        for query, key, _, grade in rows_of(data, "esci"):
            self.grades.setdefault(query, {}).setdefault(key, grade)
        names = sorted(self.grades)
        order = np.random.default_rng(SPLIT_SEED).permutation(len(names))
        self.unseen, self.learned = ([names[at] for at in part] for part in (order[:TESTED], order[TESTED:]))
        if not self.catalogue.is_file():
            lay_down(data, "esci", out)
        for part, queries in (("test", self.unseen), ("people", self.learned)):
            rows = [(query, key, grade) for query in queries for key, grade in self.grades[query].items()]
            write(out / f"{part}.csv", rows, ("query", "candidate_id", "grade"))
        with self.catalogue.open(encoding="utf-8", newline="") as stream:
            self.products = [row["candidate_id"] for row in csv.DictReader(stream)]
        rng = np.random.default_rng([SPLIT_SEED, 1])
        best = {query: [key for key, grade in self.grades[query].items() if grade == 2] for query in self.learned}
        self.known = {q: sorted(rng.permutation(keys)[: (len(keys) + 1) // 2]) for q, keys in best.items()}

    def imported(self, name: str, rows: Sequence[tuple[str, str, int]]) -> Path:
        """A run of grades."""
        graded = write(self.out / f"{name}.csv", rows, ("query", "candidate_id", "grade"))
        if not (self.out / "runs" / name / "run.json").is_file():
            judge("import", graded, "--catalogue", self.catalogue, "--out", self.out / "runs" / name)
        return self.out / "runs" / name

    def exported(self, name: str, first: Path, *others: Path) -> Path:
        """A listwise set of runs; a document is its title."""
        folder = self.out / "sets" / name
        if not folder.is_dir():
            more = [option for run in others for option in ("--with", run)]
            how = ("--to", "listwise", "--splits", "train=1", "--fields", "title")
            judge("export", first, *more, *how, "--out", folder)
        return folder

    def mined(self, name: str, run: Path, *options: object) -> list[tuple[str, str]]:
        """What `judge mine` proposes: query and product."""
        path = self.out / f"{name}.parquet"
        judge("mine", run, "--catalogue", self.catalogue, *options, "--out", path)
        return [(row["query"], row["candidate_id"]) for row in pq.read_table(path).to_pylist()]

    def judged(self, name: str) -> Path:
        """The run of a mined file, by the embedded judge as it is."""
        judge("label", self.out / f"{name}.parquet", "--catalogue", self.catalogue, "--out", self.out / "runs" / name)
        return self.out / "runs" / name

    def training_set(self, name: str) -> Path:
        """The set of an arm."""
        if (self.out / "sets" / name).is_dir():
            return self.out / "sets" / name
        if name in ("people", "made"):
            people = self.imported("people", [(q, k, g) for q in self.learned for k, g in self.grades[q].items()])
            if name == "people":
                return self.exported(name, people)
            learned = write(self.out / "learned.csv", [(query,) for query in self.learned], ("query",))
            apart = ("--held-out", self.out / "test.csv", "--like", learned, "--per-category", 1)
            queries = self.out / "made-queries.csv"
            if not queries.is_file():
                judge("queries", "--catalogue", self.catalogue, *apart, "--out", queries)
            how = ("--queries", queries, "--from", "dense,lexical", "--per-query", MADE)
            self.mined(name, people, *how)
            return self.exported(name, people, self.judged(name))
        known = self.imported("known", [(query, key, 2) for query, keys in self.known.items() for key in keys])
        if name == "structured":
            return self._structured(known)
        if name == "dense":
            pairs = self.mined(name, known, "--from", "dense", "--per-query", NEGATIVES)
        else:
            pairs = self._random({})
        return self.exported(name, known, self.imported(name, [(query, key, 0) for query, key in pairs]))

    def _structured(self, known: Path) -> Path:
        """Structured candidates by people's grades, or else the judge's; and random ones up to `NEGATIVES`."""
        pairs = self.mined("structured", known, "--from", "attributes", "--per-query", NEGATIVES)
        graded = [(query, key, self.grades[query][key]) for query, key in pairs if key in self.grades[query]]
        people = self.imported("structured-people", graded)
        have: dict[str, set[str]] = {}
        for query, key in pairs:
            have.setdefault(query, set()).add(key)
        rest = self.imported("structured-rest", [(query, key, 0) for query, key in self._random(have)])
        return self.exported("structured", known, people, self.judged("structured"), rest)

    def _random(self, have: Mapping[str, set[str]]) -> list[tuple[str, str]]:
        """Products drawn up to `NEGATIVES` a query, of those that are neither known nor had: taken for irrelevant."""
        rng = np.random.default_rng([SPLIT_SEED, 2])
        found = []
        for query in self.learned:
            own = have.get(query, set())
            drawn = [self.products[at] for at in rng.permutation(len(self.products))]
            free = [key for key in drawn if key not in own and key not in self.known[query]]
            found += [(query, key) for key in free[: NEGATIVES - len(own)]]
        return found


def sets(out: Path) -> dict[str, Any]:
    """What each set holds: queries, and rows by grade."""
    found = {}
    for folder in sorted((out / "sets").iterdir()):
        rows = pq.read_table(folder / "rows.parquet", columns=["query_id", "grade"]).to_pylist()
        grades = Counter(row["grade"] for row in rows)
        queries = len({row["query_id"] for row in rows})
        found[folder.name] = {"queries": queries, "rows by grade": dict(sorted(grades.items()))}
    return found
