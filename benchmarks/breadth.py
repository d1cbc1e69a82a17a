"""Does one more kind of shop help the shipped judge on shops it never saw? Film searches, learned after the others.

    python -m benchmarks.breadth ../shared/data runs/breadth                # writes ratings.jsonl and lora.yaml
    judge finetune runs/breadth/ratings.jsonl --raters rater_1,rater_2,rater_3 --config runs/breadth/lora.yaml \
          --from shop-135m --out runs/breadth/films
    python -m benchmarks.breadth ../shared/data runs/breadth --curve runs/learning-curve
    python -m benchmarks.breadth ../shared/data runs/films --test     # writes films.jsonl, for the shipped judge

What is learned are pairs of MSRD (real film searches, CC BY-SA 4.0) and, so that a middle grade is not forgotten, as
many of the ESCI and Chorus pairs that the shipped judge learned from; its held-out queries choose the weights. The
films' grades, relevant or not, are shared with the middle grade, as three raters. The last command compares both judges
on the parts of Home Depot's test that `benchmarks.learning_curve` dealt into its folder: nothing is fitted there. The
shipped judge has seen no films: `judge label` grades those of `--test`, and `python -m benchmarks.blend` measures.
"""

import argparse
import csv
import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from benchmarks.blend import RatedSet, interval, resampled
from benchmarks.curve_answers import VALUES, features, pairs, said
from benchmarks.curve_methods import shipped_blend
from benchmarks.home_depot import write
from benchmarks.rated_sets import RATERS, TEXTS
from benchmarks.rated_sets import read as read_set
from judge.calibration.features import log_odds
from judge.models.shipped import SHIPPED, shipped_directory
from judge.run.seen import read_seen, words_key

PAIRS = 1200
"""Of films, and of the shops that the shipped judge has seen."""
HELD = 300
"""Pairs of the queries that it held out."""
TEST = 2000
"""Pairs of films to measure the shipped judge with."""
SHARED = {1: (2, 2, 1), 0: (0, 0, 1)}
"""What three raters say of a film that is relevant, and of one that is not."""
CONFIG = {"epochs": 1, "learning_rate": 0.0006, "validation": 0.06, "calibration": 0.0}
CONFIG |= {"adversarial": 0.2, "query_noise": 0.15, "evaluate_every": 50, "balance_grades": 0.5}


def write_ratings(data: Path, out: Path) -> None:
    """Write what is learned, and how."""
    draw = Random(2026)
    seen = read_seen(shipped_directory(SHIPPED) or Path())
    assert seen is not None
    items = [item for name in TEXTS for item in read_set(data, name)]
    draw.shuffle(items)
    rows = [row | dict(zip(RATERS, SHARED[relevant], strict=True)) for row, relevant in films(data, draw)]
    for keys, count in ((seen.learned, PAIRS), (seen.held_out, HELD)):
        known = {*keys}
        some = [item for item in items if words_key(item.query) in known][:count]
        rows += [{"query": i.query, "candidate_id": i.candidate_id, **i.texts, **graded(i)} for i in some]
    write(out / "ratings.jsonl", rows)
    (out / "lora.yaml").write_text(json.dumps(CONFIG), encoding="utf-8")


def films(data: Path, draw: Random, most: int = PAIRS) -> list[tuple[dict[str, Any], int]]:
    """Pairs of MSRD, whole queries, each with 1 where people find the film relevant, else 0."""
    with (data / "msrd" / "films.jsonl").open(encoding="utf-8") as stream:
        known = {film["product_id"]: film for film in map(json.loads, stream)}
    by_query: dict[str, list[tuple[dict[str, Any], int]]] = {}
    with (data / "msrd" / "judgments.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            film = known[row["product_id"]]
            texts = {"title": film["title"], "brand": film.get("brand"), "description": film.get("description")}
            texts["category"] = ", ".join(film.get("category") or ())
            pair = {"query": row["query"], "candidate_id": f"film-{row['product_id']}", **texts}
            by_query.setdefault(row["query"], []).append((pair, int(row["relevant"])))
    names = sorted(by_query)
    draw.shuffle(names)
    found: list[tuple[dict[str, Any], int]] = []
    while len(found) < most:
        found += by_query[names.pop()]
    return found


def write_test(data: Path, out: Path) -> None:
    """Write pairs of films: a relevant one has the highest grade."""
    rows = films(data, Random(7), TEST)
    write(out / "films.jsonl", [row | {"grade": max(VALUES) * relevant} for row, relevant in rows])


def graded(item: Any) -> dict[str, int]:
    """A pair's grades under three raters' names; one grade is the first one's."""
    return dict(item.raters) or {RATERS[0]: item.grade}


def compare(out: Path, curve: Path) -> None:
    """Print what both judges say of the test, alone and under the shipped blend, and the difference."""
    parts = sorted(path.stem for path in curve.glob("test-*.jsonl"))
    rows = [row for part in parts for row in pairs(curve, part)]
    query = np.unique([row["query"] for row in rows], return_inverse=True)[1]
    truth, mean = np.array([row["grade"] for row in rows]), np.array([row["mean"] for row in rows])
    rated = RatedSet(np.empty((len(rows), 0)), np.empty((len(rows), 0)), truth, mean, query, VALUES)
    times, texts, blend = resampled(rated.queries), np.vstack([features(curve, p) for p in parts]), shipped_blend()
    print(f"{len(rows):,} pairs of {rated.queries:,} queries: accuracy, quadratic kappa, rank correlation")
    figures: dict[str, list[Any]] = {}
    for name, judge in (("shipped", SHIPPED), ("films", str(out / "films"))):
        chances = np.vstack([said(curve, judge, part) for part in parts])
        expected, mixed = chances @ np.array(VALUES), np.column_stack([log_odds(chances), texts])
        figures[name] = [rated.figures(chances.argmax(axis=1), expected, times)]
        figures[name].append(rated.figures(blend.apply(mixed).argmax(axis=1), blend.score(mixed), times))
    for at, form in enumerate(("alone", "under the shipped blend")):
        for name, found in figures.items():
            print(f"{form:24} {name:10}", *(interval(found[at][:, which], ".3f") for which in range(3)))
        gap = figures["films"][at] - figures["shipped"][at]
        print(f"{form:24} difference", *(interval(gap[:, which], "+.3f") for which in range(3)))


def main() -> None:
    """Write the ratings, or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder that holds msrd/, esci/ and chorus/")
    parser.add_argument("out", type=Path)
    parser.add_argument("--curve", type=Path, help="the learning curve's folder: compare there")
    parser.add_argument("--test", action="store_true", help="write films to measure the shipped judge with")
    given = parser.parse_args()
    if given.curve:
        compare(given.out.resolve(), given.curve.resolve())
    elif given.test:
        write_test(given.data, given.out)
    else:
        write_ratings(given.data, given.out)


if __name__ == "__main__":
    main()
