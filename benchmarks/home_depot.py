"""Pairs of Home Depot's ratings, to measure with: no weight, cut or constant may be fitted on them and kept.

    python -m benchmarks.home_depot ../shared/data runs/home-depot.jsonl

writes all pairs of queries that are drawn at random, until there are 600: title, people's mean on the guideline's scale
(`mean`), and the grade that follows from it (`grade`): up to 5/3 of 3 is 0, up to 7/3 is 1, above is 2. Next to it,
`…-single.jsonl` has one pair of each of 600 other queries.
"""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Pairs = Sequence[Mapping[str, Any]]

PAIRS, SEED = 600, 2026
NEAR = 0.01
"""Means are given to two decimals."""


def read(data: Path) -> dict[str, list[dict[str, Any]]]:
    """All pairs, by query."""
    by_query: dict[str, list[dict[str, Any]]] = {}
    with (data / "homedepot" / "ratings.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            mean = float(row["relevance"])
            grade = 0 if mean <= 5 / 3 + NEAR else 1 if mean <= 7 / 3 + NEAR else 2
            pair = {"query": row["query"], "candidate_id": row["product_id"], "title": row["title"]}
            by_query.setdefault(row["query"], []).append({**pair, "grade": grade, "mean": mean - 1})
    return by_query


def write(path: Path, rows: Pairs) -> None:
    """A row a line, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def main(data: Path, out: Path) -> None:
    """Write the file."""
    by_query = read(data)
    names = sorted(by_query)
    order = [names[at] for at in np.random.default_rng(SEED).permutation(len(names))]
    found: list[dict[str, Any]] = []
    while len(found) < PAIRS:
        found += by_query[order.pop()]
    rng, single = np.random.default_rng(7), []
    for _ in range(PAIRS):
        pairs = by_query[order.pop()]
        single.append(pairs[rng.integers(len(pairs))])
    write(out, found)
    write(out.with_stem(f"{out.stem}-single"), single)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
