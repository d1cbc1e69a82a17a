"""Pairs of Home Depot's ratings, to measure with: no weight, cut or constant may be fitted on them and kept.

    python benchmarks/home_depot.py ../shared/data runs/home-depot.jsonl

writes all pairs of queries that are drawn at random, until there are 600: title, people's mean on the guideline's scale
(`mean`), and the grade that follows from it (`grade`): up to 5/3 of 3 is 0, up to 7/3 is 1, above is 2. Next to it,
`…-single.jsonl` has one pair of each of 600 other queries.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np

PAIRS, SEED = 600, 2026
NEAR = 0.01
"""Means are given to two decimals."""


def main(data: Path, out: Path) -> None:
    """Write the file."""
    by_query: dict[str, list[dict[str, object]]] = {}
    with (data / "homedepot" / "ratings.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            mean = float(row["relevance"])
            grade = 0 if mean <= 5 / 3 + NEAR else 1 if mean <= 7 / 3 + NEAR else 2
            pair = {"query": row["query"], "candidate_id": row["product_id"], "title": row["title"]}
            by_query.setdefault(row["query"], []).append({**pair, "grade": grade, "mean": mean - 1})
    names = sorted(by_query)
    order = [names[at] for at in np.random.default_rng(SEED).permutation(len(names))]
    found: list[dict[str, object]] = []
    while len(found) < PAIRS:
        found += by_query[order.pop()]
    rng, single = np.random.default_rng(7), []
    for _ in range(PAIRS):
        pairs = by_query[order.pop()]
        single.append(pairs[rng.integers(len(pairs))])
    out.parent.mkdir(parents=True, exist_ok=True)
    for path, rows in ((out, found), (out.with_stem(f"{out.stem}-single"), single)):
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
