"""How often the query at the end of a title makes an irrelevant product relevant, by the shipped judge and its blend.

    python -m benchmarks.shipped_blend ../shared/data runs/held-out
    python -m benchmarks.stuffing runs/held-out/chorus.jsonl runs/stuffing

The first command writes Chorus' pairs of queries that the judge's training held out. Of those that people called
irrelevant at most six a query are judged as they are, with the query at the end of the title, and with as many harmless
words; then the same as titles alone. Told is how many become the best grade of those that were not, with the interval
of 95% from resampled queries. Runs lie in the folder, and are resumed.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from judge.labelling.recalibrate import own_column
from judge.run.store import Run

MOST, BEST, RESAMPLES = 6, 2, 2000
HARMLESS = "ships within two working days please keep the box until you are sure thank you for buying with us today"
Row = dict[str, Any]
ENDS: dict[str, Callable[[str], str]] = {
    "plain": lambda query: "",
    "stuffed": lambda query: f" {query}",
    "harmless": lambda query: " " + " ".join(HARMLESS.split()[: len(query.split())]),
}


def irrelevant(path: Path) -> list[Row]:
    """Rows of irrelevant products with a title: at most `MOST` a query, drawn."""
    rows = [row for line in path.read_text(encoding="utf-8").splitlines() if (row := json.loads(line)).get("title")]
    rows = [row for row in rows if row["grade"] == 0]
    order, counts = list(range(len(rows))), Counter[str]()
    Random(4).shuffle(order)
    kept = []
    for at in order:
        counts[rows[at]["query"]] += 1
        if counts[rows[at]["query"]] <= MOST:
            kept.append(at)
    return [rows[at] for at in sorted(kept)]


def grades(rows: list[Row], path: Path) -> dict[str, np.ndarray]:
    """Grades by the judge alone and as shipped, shape (N,) each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pairs = path.with_suffix(".jsonl")
    pairs.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    command = [sys.executable, "-m", "relevance_judge.cli.main", "label", str(pairs), "--out", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    run = Run.open(path)
    with run.database() as db:
        found = db.execute(f"SELECT grade, {own_column(run.manifest)} FROM labels ORDER BY row").fetchall()
    assert len(found) == len(rows)
    shipped, own = zip(*found, strict=True)
    return {"the judge alone": np.array(own).argmax(axis=1), "as shipped": np.array(shipped)}


def lifted(before: np.ndarray, after: np.ndarray, query: np.ndarray) -> str:
    """How many become the best grade of those that were not, and the interval of their share."""
    rest = np.flatnonzero(before < BEST)
    became = after[rest] == BEST
    groups = [np.flatnonzero(query[rest] == each) for each in np.unique(query[rest])]
    draws = np.random.default_rng(0).integers(0, len(groups), (RESAMPLES, len(groups)))
    shares = [became[np.concatenate([groups[at] for at in draw])].mean() for draw in draws]
    low, high = np.quantile(shares, (0.025, 0.975))
    return f"{became.sum()} of {len(rest)} ({became.mean():.0%}, {low:.0%} to {high:.0%})"


def main(pairs: Path, out: Path) -> None:
    """Judge what is not judged yet, and print a table."""
    rows = irrelevant(pairs)
    query = np.array([row["query"] for row in rows])
    print(f"{len(rows)} irrelevant products of {len(np.unique(query))} queries: lifted to {BEST}\n")
    print("| | | the query at the end of the title | harmless words there |\n|---|---|---|---|", flush=True)
    for name, fields in (("products", None), ("titles alone", ("query", "candidate_id", "title"))):
        found = {}
        for kind, end in ENDS.items():
            changed = [{**row, "title": row["title"] + end(row["query"])} for row in rows]
            changed = [{key: row[key] for key in fields or row} for row in changed]
            found[kind] = grades(changed, out / f"{name.replace(' ', '-')}-{kind}")
        for judge in found["plain"]:
            told = [lifted(found["plain"][judge], found[kind][judge], query) for kind in ("stuffed", "harmless")]
            print(f"| {name} | {judge} | {' | '.join(told)} |", flush=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
