"""Three invented raters for the example shop: writes `shop/ratings.csv`. Nobody graded anything; a seed decides.

    python examples/simulate_ratings.py

Each rater starts from the grades of `shop/grades.csv` and has a weakness that a report should find: `ines` is careful
and slow, `jonas` is lenient with accessories, `mika` is fast and grows careless as the days go by.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

SHOP = Path(__file__).parent / "shop"
RATERS = {"ines": (0.03, 26.0), "jonas": (0.06, 15.0), "mika": (0.05, 7.0)}
"""Share of slips, and seconds a pair."""
START = datetime(2026, 9, 7, 9, 0, tzinfo=UTC)
SESSION = 45
"""Pairs between two breaks of a day."""


def main() -> None:
    """Write the ratings, one rater after the other."""
    pairs = list(csv.DictReader((SHOP / "grades.csv").open(encoding="utf-8")))
    clauses = defaultdict(list)
    for pair in pairs:
        if pair["clause"] not in clauses[pair["grade"]]:
            clauses[pair["grade"]].append(pair["clause"])
    with (SHOP / "ratings.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["query_id", "query", "candidate_id", "rater", "grade", "clause", "time"])
        for name in RATERS:
            for pair, grade, clause, time in rated(name, pairs, clauses):
                known = [pair["query_id"], pair["query"], pair["candidate_id"]]
                writer.writerow([*known, name, grade, clause, time.strftime("%Y-%m-%dT%H:%M:%SZ")])


Rated = tuple[dict[str, str], str, str, datetime]


def rated(name: str, pairs: list[dict[str, str]], clauses: dict[str, list[str]]) -> Iterator[Rated]:
    """What one rater gives to all pairs, in their own order of queries."""
    random = Random(f"example shop, {name}")
    slips, seconds = RATERS[name]
    queries = sorted({pair["query_id"] for pair in pairs})
    random.shuffle(queries)
    mine = sorted(pairs, key=lambda pair: queries.index(pair["query_id"]))
    now = START
    for place, pair in enumerate(mine):
        grade, clause = pair["grade"], pair["clause"]
        tired = 0.22 * place / len(mine) if name == "mika" else 0.0
        if name == "jonas" and clause in ("accessory", "misfit-accessory") and random.random() < 0.4:
            grade, clause = ("2", "full-match") if clause == "accessory" else ("1", "accessory")
        elif random.random() < slips + tired:
            grade = str(min(max(int(grade) + random.choice((-1, 1)), 0), 2))
            clause = random.choice(clauses[grade])
        elif clause == "substitute" and random.random() < 0.25:
            clause = "one-attribute"
        elif clause == "brand-only" and random.random() < 0.2:
            clause = "other-product"
        now += timedelta(seconds=max(2.0, random.lognormvariate(0, 0.5) * seconds))
        if place % SESSION == SESSION - 1:
            now += timedelta(hours=3)
        yield pair, grade, clause, now


if __name__ == "__main__":
    main()
