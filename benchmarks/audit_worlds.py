"""Is what the audit promises true in shops it was not written for? Planted errors over real grades, several worlds.

    python benchmarks/audit_worlds.py [--worlds dbn,cascade,grid] [--medians 100,1000] [--seeds 1,2,3] [--out FILE]

Needs graded sets in ../shared/data. A line of FILE (JSONL) is one audit: average precision (AP) of the order of
pairs vs an oracle that knows what shoppers like; the share of false flags at nominal .10, .30 and .50, overall and by
type; how many labels are expected wrong; recall by kind of error; label errors after 5% of the pairs were reviewed by
someone right 85% of the time; and what 150 decisions of a random sample promise. `flags` are by the chances alone,
`given` is what users get once checks have held some back. `--worlds all` adds the shops of `other_worlds.py` and of
`changing_worlds.py`. A line that is there is not made again: a run that was killed goes on. `--worlds grid:.45` has as
many wrong labels as it says. At the end means over seeds with intervals are printed, as Markdown.
"""

import argparse
import json
import tempfile
import time
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np
from changing_worlds import CHANGING
from engagement import make_run
from other_worlds import OTHERS
from planted import KINDS, kinds_of, plant_errors, real_grades
from raters import judge_says
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score
from worlds import WORLDS, Shop
from worlds_table import tables

from audit.engagement import examination
from audit.engagement.auditing import Audit, Settings, audit
from audit.engagement.checks import allowed
from audit.engagement.flags import FlagRow, find_flags
from audit.engagement.labelled import Labelled
from audit.engagement.source import EngagementFile
from judge.calibration.promise import draw, promises

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
SETS = {"feed": ("homedepot",)}
USUAL = ("esci", "chorus")
LEVELS = (0.1, 0.3, 0.5)
ERRORS = 0.08
REVIEWED, RIGHT = 0.05, 0.85
DECISIONS = 150
MORE = {**OTHERS, **CHANGING}


def main() -> None:
    """Audit every world at every traffic level for every seed, with and without probabilities."""
    parser = argparse.ArgumentParser()
    for name, value in (("worlds", "dbn,cascade,grid"), ("medians", "100,1000,10000"), ("seeds", "1,2,3,4,5")):
        parser.add_argument(f"--{name}", default=value)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=Path("audit_worlds.jsonl"))
    args = parser.parse_args()
    if not args.data.is_dir():
        print(f"skipped: there are no graded sets in {args.data}")
        return
    examination.RESAMPLES = 0  # intervals of the curve, which nothing here looks at
    lines = args.out.read_text().splitlines() if args.out.exists() else []
    made = {tuple(json.loads(line)["case"]) for line in lines}
    for seed in map(int, args.seeds.split(",")):
        for median in map(int, args.medians.split(",")):
            for world in (*WORLDS, *MORE) if args.worlds == "all" else args.worlds.split(","):
                cases = [(world, median, seed, known) for known in (False, True)]
                for case in (case for case in cases if case not in made):
                    found = run_case(args.data, case)
                    with args.out.open("a") as stream:
                        stream.write(json.dumps(found) + "\n")
    print(tables([json.loads(line) for line in args.out.read_text().splitlines()]))


def run_case(data: Path, case: tuple[str, int, int, bool]) -> dict[str, object]:
    """One audit: its figures."""
    name, median, seed, known = case
    world, _, share = name.partition(":")
    begun = time.process_time()
    rng = np.random.default_rng([seed, [*WORLDS, *MORE].index(world)])
    if world in MORE:
        grade, query = MORE[world].grades(data, rng)
        shop = MORE[world].shop(grade, query, median, rng)
        label = plant_errors(grade, query, rng, float(share))[0] if share else MORE[world].errors(shop, rng)
        kind = kinds_of(label, grade)
        said = judge_says(label, grade, rng)
    else:
        grade, query = real_grades(data, SETS.get(world, USUAL))
        label, kind = plant_errors(grade, query, rng, float(share or ERRORS))
        said = judge_says(label, grade, rng)
        shop = WORLDS[world](grade, query, median, rng)
    with tempfile.TemporaryDirectory() as folder:
        events = write_counts(shop, Path(folder) / "counts.parquet")
        rows = [np.flatnonzero(query == q) for q in range(query.max() + 1)]
        names = [f"query {q}" for q in range(len(rows))], [[f"P{i}" for i in own] for own in rows]
        # Pairs come ordered by query, so that the judge's probabilities are in the run's order.
        run = make_run(Path(folder) / "run", names, [label[own] for own in rows], said if known else None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = audit(run, EngagementFile(events), Settings())
    figures = measure(found, shop, label, kind, rng)
    print(case, {name: figures[name] for name in ("ap", "oracle", "expected", "wrong", "flags")}, flush=True)
    return {"case": case, **figures, "seconds": time.process_time() - begun}


def write_counts(shop: Shop, path: Path) -> Path:
    """The shop's counts as an engagement file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    counts = {name: values for name, values in shop.counts.items() if name not in ("pair", "looked_at")}
    pair = shop.counts["pair"]
    keys = {"query": [f"query {q}" for q in shop.query[pair]], "candidate_id": [f"P{i}" for i in pair]}
    pq.write_table(pa.table(keys | counts), path)
    return path


def measure(
    found: Audit, shop: Shop, label: np.ndarray, kind: np.ndarray, rng: np.random.Generator
) -> dict[str, object]:
    """What the audit found of the planted errors."""
    own = found.labelled
    pair = np.array([int(name[1:]) for name in own.candidate_id])
    wrong, kind = (label != shop.grade)[pair], kind[pair]
    place = np.empty(len(pair), dtype=int)
    place[pair] = np.arange(len(pair))
    chance = found.weighed.wrong(own)
    # By rank among equals, and pairs without engagement by their chance.
    score = chance.copy()
    score[found.weighed.order] -= 1e-9 * np.arange(len(found.weighed.order))
    oracle = shop.oracle(own.prior(3)[place], label)[pair]
    order = found.weighed.order
    flags = {str(level): _flags(find_flags(own, found.weighed, level), wrong, kind) for level in LEVELS}
    return {
        "pairs": len(own),
        "wrong": int(wrong.sum()),
        "expected": float(chance.sum()),
        "ap": float(average_precision_score(wrong, score)),
        "oracle": float(average_precision_score(wrong, oracle)),
        "top_100": float(wrong[order[:100]].mean()),
        "oracle_top_100": float(wrong[np.argsort(-oracle)[:100]].mean()),
        "flags": flags,
        "given": {
            str(level): _by_query(find_flags(own, found.weighed, *allowed(found.checks, level)), wrong, own.index)
            for level in LEVELS
        },
        "agreement": asdict(found.agreement),
        "followed": float(np.corrcoef(own.grade, shop.grade[pair])[0, 1] ** 2),
        "clicks_ap": float(average_precision_score(wrong, _unlike_its_clicks(own))),
        "after_review": _after_review(wrong, order, rng),
        "checks": [each.name for each in found.checks if not each.holds],
        "said": [each.words for each in found.checks],
        "promises": _promises(found, chance, wrong, rng),
    }


def _flags(rows: list[FlagRow], wrong: np.ndarray, kind: np.ndarray) -> dict[str, object]:
    """Flagged pairs and those among them that are wrong, by type of flag, and by kind of error of all that have it."""
    flagged = np.unique([row.pair for row in rows]).astype(int)
    types: dict[str, list[bool]] = {}
    for row in rows:
        types.setdefault(row.type, []).append(bool(wrong[row.pair]))
    return {
        "flags": len(flagged),
        "true": int(wrong[flagged].sum()),
        "by_type": {name: [len(right), sum(right)] for name, right in types.items()},
        "by_kind": {KINDS[k]: [int((kind[flagged] == k).sum()), int((kind == k).sum())] for k in range(1, 5)},
    }


def _after_review(wrong: np.ndarray, order: np.ndarray, rng: np.random.Generator) -> int:
    """Label errors once the first pairs were reviewed."""
    reviewed = order[: round(REVIEWED * len(wrong))]
    fixed = wrong[reviewed] & (rng.random(len(reviewed)) < RIGHT)
    broken = ~wrong[reviewed] & (rng.random(len(reviewed)) >= RIGHT)
    return int(wrong.sum() - fixed.sum() + broken.sum())


def _promises(found: Audit, chance: np.ndarray, wrong: np.ndarray, rng: np.random.Generator) -> list[dict[str, object]]:
    """What decisions of a random sample promise, and the share of false ones among so many pairs."""
    own, order = found.labelled, found.weighed.order
    pairs = [(own.query_id[i], own.candidate_id[i]) for i in order]
    sample = draw(own.row[order], pairs, chance[order], DECISIONS, seed=int(rng.integers(1 << 30)))
    decided = {key: bool(wrong[order[rank - 1]]) for key, rank in zip(sample.pairs, sample.ranks, strict=True)}
    return [
        {
            "budget": each.budget,
            "pairs": each.pairs,
            "false": float((~wrong[order[: each.pairs]]).mean()) if each.pairs else None,
        }
        for each in promises(sample, decided)
    ]


def _by_query(rows: list[FlagRow], wrong: np.ndarray, query: np.ndarray) -> dict[str, object]:
    """Flags and false ones among them: of each type, and as (flagged pairs, false ones) of each query that has any."""
    pairs = np.unique([row.pair for row in rows]).astype(int)
    _, place = np.unique(query[pairs], return_inverse=True)
    types: dict[str, list[int]] = {}
    for row in rows:
        types.setdefault(row.type, [0, 0])
        types[row.type] = [types[row.type][0] + 1, types[row.type][1] + int(not wrong[row.pair])]
    queries = np.stack([np.bincount(place), np.bincount(place, ~wrong[pairs])], axis=1).astype(int).tolist()
    return {"by_type": types, "queries": queries if len(pairs) else []}


def _unlike_its_clicks(own: Labelled) -> np.ndarray:
    """What a click rate alone says: how far a pair's stands, in ranks, from where its label puts it."""
    rate = own.clicks / np.maximum(own.impressions, 1)
    return np.abs(rankdata(rate) - rankdata(own.grade)) / len(rate)


if __name__ == "__main__":
    main()
