"""Which negatives, which loss, typing errors, made queries: trained on ESCI, as docs/retriever-protocol.md says.

    python -m benchmarks.retriever_esci ../shared/data OUT [--seeds 0,1] [--show]

Queries are few (52 to train on, 49 to test on): small differences cannot be told. Sets are made by verbs of ours, and
what lies in OUT is not made again: a killed run resumes. Prints two tables, and writes `results.json`; with --show of
what there is already.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.esci_sets import TESTED, Shop, sets
from benchmarks.retriever_claim import kept
from judge.files import write_whole
from judge.ratings.layout import RatingsLayout
from judge.ratings.panel import read_panel
from judge.search.reading import read_catalogue
from judge.words.guideline import known_grades, load_guideline
from retriever.config import load_config
from retriever.figures import Figures, values_of
from retriever.gold import gold_of
from retriever.intervals import differences, means
from retriever.job import prepare, train
from retriever.measures import Cut
from retriever.separation import clustered_auc
from retriever.slices import misspelt
from retriever.systems import BM25, DEPTH, Searcher

STEPS = {"epochs": 6, "queries": 8}
START = "minilm-l6"
UNTRAINED = {"start": START, "bm25": BM25}
SAMPLES = 1000
"""Of queries, for intervals of differences in AUC."""


@dataclass(frozen=True)
class Arm:
    """One training."""

    name: str
    set: str
    options: Mapping[str, object] = field(default_factory=dict)
    """Keys of the training's configuration."""
    start: str | None = None
    """The arm of the same seed that it starts from; the encoder unless given."""


ARMS = (
    Arm("random", "random"),
    Arm("dense", "dense"),
    Arm("structured", "structured"),
    Arm("supcon", "people"),
    Arm("mnrl", "people", {"loss": "mnrl"}),
    Arm("circle", "people", {"loss": "circle"}, "supcon"),
    Arm("again", "people", {}, "supcon"),
    Arm("misspell", "people", {"misspell": 0.5}),
    Arm("made", "made"),
)
COMPARED = (
    ("structured", "random"),
    ("structured", "dense"),
    ("dense", "random"),
    ("mnrl", "supcon"),
    ("circle", "again"),
    ("circle", "supcon"),
    ("misspell", "supcon"),
    ("made", "supcon"),
    ("supcon", "start"),
)
MEASURES = ("full", "judged only", "judged", "cat", "misspelt")
Arrays = Mapping[str, np.ndarray]


def trained(arm: "Arm", seed: int, shop: Shop) -> Path:
    """An arm's model."""
    out = shop.out / "models" / f"{arm.name}-{seed}"
    start = START if arm.start is None else str(shop.out / "models" / f"{arm.start}-{seed}")
    config = load_config().changed(**STEPS, **arm.options, seed=seed)
    train(prepare(shop.training_set(arm.set), start, config), out)
    return out


class Unseen:
    """The test queries, with people's grades, over all products."""

    def __init__(self, shop: Shop) -> None:
        guideline = load_guideline()
        self.catalogue = read_catalogue(shop.catalogue, guideline, {})
        panel = read_panel(shop.out / "test.csv", RatingsLayout({}, known_grades(None, guideline)), guideline.values)
        self.gold = gold_of(panel, self.catalogue)
        self.figures = Figures(self.gold, self.catalogue, Cut())
        self.searcher = Searcher(self.catalogue, "title", cache=shop.out / "cache")
        self.wrong = misspelt(self.gold.queries, [product.text for product in self.catalogue.products], 0)

    def measured(self, system: str) -> dict[str, np.ndarray]:
        """Each measure by query, NaN where it is undefined; and the scores of the judged pairs."""
        ranked = self.searcher.rank(system, self.gold.queries, DEPTH, self.gold.places)
        values = values_of(ranked, self.figures)
        typed = [self.wrong.get(at, query) for at, query in enumerate(self.gold.queries)]
        after = values_of(self.searcher.rank(system, typed, DEPTH), self.figures)
        some = np.isin(np.arange(len(typed)), list(self.wrong))
        scored = self.figures.scored(ranked)
        return {
            "full": values.columns["full"]["ndcg@10"],
            "judged only": values.columns["judged"]["ndcg@10"],
            "judged": values.share_judged,
            "cat": values.columns["full"]["cat@10"],
            "misspelt": np.where(some, after.columns["full"]["ndcg@10"], np.nan),
            "score": scored.score,
            "grade": scored.grade,
            "query": scored.query,
        }


def averaged(seeds: Sequence[Arrays]) -> dict[str, np.ndarray]:
    """Measures by query, averaged over seeds."""
    return {name: np.mean([one[name] for one in seeds], axis=0) for name in MEASURES}


def separation(seeds: Sequence[Arrays], upper: int, rows: np.ndarray) -> float:
    """AUC of a grade against the next lower one, over all pairs of some rows; the mean of seeds."""
    found = []
    for each in seeds:
        own = rows[(each["grade"][rows] == upper) | (each["grade"][rows] == upper - 1)]
        found.append(clustered_auc(each["score"][own], each["grade"][own] == upper, each["query"][own])[0])
    return float(np.mean([np.nan if value is None else value for value in found]))


def separation_difference(one: Sequence[Arrays], other: Sequence[Arrays], upper: int) -> dict[str, float]:
    """One's AUC less the other's, with the interval of 95% from resampled queries."""
    query = one[0]["query"]
    own = [np.flatnonzero(query == number) for number in np.unique(query)]
    rng = np.random.default_rng(0)
    draws = [np.arange(len(own)), *rng.integers(0, len(own), (SAMPLES, len(own)))]
    rows = [np.concatenate([own[at] for at in draw]) for draw in draws]
    value, *gaps = [separation(one, upper, each) - separation(other, upper, each) for each in rows]
    low, high = np.quantile(gaps, (0.025, 0.975))
    return {"value": value, "low": float(low), "high": float(high)}


def report(found: Mapping[str, Mapping[int, Arrays]], shop: Shop) -> None:
    """Both tables, and everything in them as JSON."""
    figures: dict[str, Any] = {"test queries": TESTED, "training queries": len(shop.learned), "sets": sets(shop.out)}
    print("\n| arm | NDCG@10, all results | judged only | judged@10 | Cat@10 | misspelt | AUC 2/1 | AUC 1/0 |")
    print("|---" * 8 + "|")
    for name, by_seed in found.items():
        seeds = list(by_seed.values())
        own = {measure: vars(mean) for measure, mean in means(averaged(seeds)).items()}
        every = np.arange(len(seeds[0]["grade"]))
        own |= {f"auc {upper}": separation(seeds, upper, every) for upper in (2, 1)}
        own["seeds"] = [{m: float(np.nanmean(one[m])) for m in MEASURES} for one in seeds]
        figures[name] = own
        cells = [interval(own["full"]), interval(own["judged only"]), *(f"{own[m]['value']:.3f}" for m in MEASURES[2:])]
        print(f"| {name} | {' | '.join(cells)} | {own['auc 2']:.3f} | {own['auc 1']:.3f} |")
    print("\n| difference | NDCG@10, all results | judged only | Cat@10 | misspelt | AUC 2/1 | AUC 1/0 |")
    print("|---" * 7 + "|")
    figures["differences"] = {}
    for one, other in COMPARED:
        if one not in found or other not in found:
            continue
        trained_ones = [found[name] for name in (one, other) if name not in UNTRAINED]
        both = sorted(set.intersection(*(set(seeds) for seeds in trained_ones)))
        if not both:
            continue
        pair = [
            list(found[name].values()) if name in UNTRAINED else [found[name][seed] for seed in both]
            for name in (one, other)
        ]
        gaps = differences(*map(averaged, pair))
        aucs = {f"auc {upper}": separation_difference(*pair, upper) for upper in (2, 1)}
        figures["differences"][f"{one} less {other}"] = {name: vars(gap) for name, gap in gaps.items()} | aucs
        shown = [vars(gaps[m]) for m in ("full", "judged only", "cat", "misspelt")] + [*aucs.values()]
        print(f"| {one} less {other} | {' | '.join(interval(gap, '+') for gap in shown)} |")
    write_whole(shop.out / "results.json", json.dumps(figures, indent=1, default=float).encode())
    sys.stdout.flush()


def interval(found: Mapping[str, Any], sign: str = "") -> str:
    """A figure with its interval."""
    if found["low"] is None:
        return "–" if found["value"] is None else f"{found['value']:{sign}.3f}"
    return f"{found['value']:{sign}.3f} ({found['low']:{sign}.3f} to {found['high']:{sign}.3f})"


def main() -> None:
    """Train what is missing, and print what there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--show", action="store_true", help="train nothing")
    given = parser.parse_args()
    (given.out / "results").mkdir(parents=True, exist_ok=True)
    shop = Shop(given.data, given.out)
    unseen = Unseen(shop)
    found: dict[str, dict[int, Arrays]] = {
        name: {0: kept(given.out / "results" / f"{name}.npz", lambda s=system: unseen.measured(s))}
        for name, system in UNTRAINED.items()
    }
    for seed in map(int, given.seeds.split(",")):
        for arm in ARMS:
            path = given.out / "results" / f"{arm.name}-{seed}.npz"
            if given.show and not path.is_file():
                continue
            own = kept(path, lambda a=arm, s=seed: unseen.measured(str(trained(a, s, shop))))
            found.setdefault(arm.name, {})[seed] = own
        if not given.show:
            report(found, shop)
    if given.show:
        report(found, shop)


if __name__ == "__main__":
    main()
