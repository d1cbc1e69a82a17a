"""Writes the example shop's simulated engagement, and its grades with a handful of planted errors. Seeded."""

import csv
from pathlib import Path

import numpy as np
from shoppers import World, make_truth, search

SHOP = Path(__file__).parent.parent / "examples" / "shop"
PLANTED = 14
SEARCHES = 2_500


def main() -> None:
    """Overwrite `engagement.csv` and `grades_with_errors.csv`."""
    with (SHOP / "grades.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    queries: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        queries.setdefault(row["query_id"], []).append(row)
    rng = np.random.default_rng(20261121)
    _write_engagement(queries, rng)
    _write_errors(rows, rng)


def _write_engagement(queries: dict[str, list[dict[str, str]]], rng: np.random.Generator) -> None:
    with (SHOP / "engagement.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(
            ["query_id", "query", "candidate_id", "position", "impressions", "clicks", "add_to_carts", "purchases"]
        )
        for number, (query_id, items) in enumerate(queries.items()):
            truth = make_truth(World(seed=number), np.array([[int(item["grade"]) for item in items]]))
            count = int(SEARCHES * rng.lognormal(0, 0.5))
            found = search(World(), truth, 0, count, rng)
            shape = (len(items), int(found["position"].max()))
            cell = found["candidate"] * shape[1] + found["position"] - 1
            counts = [
                np.bincount(cell, weights, minlength=shape[0] * shape[1]).astype(int)
                for weights in (None, found["clicked"], found["cart"], found["purchase"])
            ]
            for index in np.flatnonzero(counts[0]):
                item, place = items[index // shape[1]], index % shape[1] + 1
                cells = [column[index] for column in counts]
                writer.writerow([query_id, item["query"], item["candidate_id"], place, *cells])


def _write_errors(rows: list[dict[str, str]], rng: np.random.Generator) -> None:
    wrong = {int(i) for i in rng.choice([i for i, row in enumerate(rows) if row["grade"] != "1"], PLANTED, False)}
    with (SHOP / "grades_with_errors.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["query_id", "query", "candidate_id", "grade", "planted"])
        for index, row in enumerate(rows):
            grade = 2 - int(row["grade"]) if index in wrong else row["grade"]
            planted = f"was {row['grade']}" if index in wrong else ""
            writer.writerow([row["query_id"], row["query"], row["candidate_id"], grade, planted])


if __name__ == "__main__":
    main()
