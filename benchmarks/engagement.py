"""Does the audit find planted label errors? Simulated shoppers, several shapes of error, and what else one could do.

    python benchmarks/engagement.py [--median 1000] [--queries 200] [--seed 1]

Every method ranks all pairs by how wrong their label seems. AP is the area under precision and recall, to be held
against the prevalence; P@budget the precision of as many pairs as there are errors; FDR the share of the flagged that
are right, where 10% is nominal; `left` the errors per 1,000 labels after a person fixes what is flagged. The oracle
knows each pair's true attractiveness and cart rate, each query's taste and how grades spread about them.
"""

import argparse
import csv
import tempfile
import warnings
from pathlib import Path

import numpy as np
from raters import SHAPES, judge_says, plant
from scipy.stats import norm
from shoppers import World, make_truth, traffic, write_shown
from sklearn.metrics import average_precision_score

from audit.engagement.auditing import Settings, audit
from audit.engagement.confident import thresholds
from audit.engagement.source import EngagementFile
from judge.labelling.importing import import_run
from judge.pairs.stage import Source
from judge.run.store import Run
from judge.words.guideline import load_guideline

SHARE, CANDIDATES, GRADES = 0.08, 24, 3


def main() -> None:
    """Print a table for each shape of error, with and without the judge's probabilities."""
    parser = argparse.ArgumentParser()
    for name, value in (("median", 1000), ("queries", 200), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    mix = rng.dirichlet([1.5] * GRADES, args.queries)
    grade = np.stack([rng.choice(GRADES, CANDIDATES, p=shares) for shares in mix])
    world = World(seed=args.seed)
    truth = make_truth(world, grade)
    names = (
        [f"query {q}" for q in range(args.queries)],
        [[f"Q{q}C{c}" for c in range(CANDIDATES)] for q in range(args.queries)],
    )
    with tempfile.TemporaryDirectory() as folder:
        shown = Path(folder) / "shown.parquet"
        rows = write_shown(world, truth, traffic(truth, args.median, rng), names, shown)
        print(f"{rows:,} shown results, {grade.size:,} pairs")
        for shape in SHAPES:
            label = plant(grade, shape, SHARE, rng)
            for said in (None, judge_says(label, grade, rng)):
                run = make_run(Path(folder) / f"{shape} {said is None}", names, label, said)
                report(run, shown, (world, truth), f"{shape}, {'no ' if said is None else ''}probabilities")


def make_run(path: Path, names: tuple[list[str], list[list[str]]], label: np.ndarray, said: np.ndarray | None) -> Run:
    """A run that holds the labels, and the judge's probabilities if there are any."""
    sheet = path.with_suffix(".csv")
    with sheet.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["query", "candidate_id", "grade"])
        for query, candidates, grades in zip(*names, label, strict=True):
            writer.writerows([query, c, g] for c, g in zip(candidates, grades, strict=True))
    run = Run(path)
    policy = load_guideline()
    with run.writing():
        import_run(run, Source(sheet, grades={str(g): g for g in policy.values}, need_text=False), policy)
    if said is not None:
        import pyarrow.parquet as pq

        chances = dict(zip([c for row in names[1] for c in row], said.reshape(-1, GRADES).tolist(), strict=True))
        for part in run.parts():
            table = pq.read_table(part)
            place = table.schema.get_field_index("probabilities")
            column = [chances[c] for c in table["candidate_id"].to_pylist()]
            import pyarrow as pa

            pq.write_table(table.set_column(place, "probabilities", pa.array(column, pa.list_(pa.float64()))), part)
    return run


def report(run: Run, shown: Path, drawn: tuple, title: str) -> None:
    """Print how the audit and its rivals rank the planted errors."""
    world, truth = drawn
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = audit(run, EngagementFile(shown), Settings())
    own = found.labelled
    place = np.array([[int(part) for part in c[1:].split("C")] for c in own.candidate_id])
    q, c = place.T
    wrong = truth.grade[q, c] != own.grade
    prior = own.prior(GRADES)
    flagged = np.zeros(len(own), dtype=bool)
    flagged[[flag.pair for flag in found.flags]] = True
    rate = (own.clicks + 0.5) / (own.impressions + 10)
    ranks = {
        "random order": np.random.default_rng(0).random(len(own)),
        "judge's confidence": 1 - prior[np.arange(len(own)), own.grade],
        "raw click rate": raw(rate, own.grade),
        "rate per grade": naive(rate, own.grade, prior),
        "confident learning": self_confidence(own.grade, found.weighed.unlabelled),
        "audit, clicks only": 1 - found.weighed.clicks.posterior[np.arange(len(own)), own.grade],
        "audit": found.weighed.wrong(own),
        "oracle, clicks only": oracle(world, truth, (q, c), prior, own.grade, carts=False),
        "oracle": oracle(world, truth, (q, c), prior, own.grade, carts=True),
    }
    errors, size = int(wrong.sum()), len(own)
    print(f"\n{title}: {errors / size:.3f} wrong; median {np.median(own.impressions):,.0f} impressions a pair")
    best = average_precision_score(wrong, ranks["oracle"])
    for name, score in ranks.items():
        area = average_precision_score(wrong, score)
        top = wrong[np.argsort(-score, kind="stable")[:errors]].mean()
        print(f"  {name:20} AP {area:.3f}  of the oracle's {area / best:.2f}  P@budget {top:.3f}")
    caught = int((wrong & flagged).sum())
    false = 1 - caught / max(int(flagged.sum()), 1)
    kinds = {}
    for flag in found.flags:
        kinds.setdefault(str(flag.type), []).append(not wrong[flag.pair])
    by_type = ", ".join(f"{kind} {np.mean(v):.2f} of {len(v)}" for kind, v in sorted(kinds.items()))
    print(f"  flagged {flagged.sum()}, FDR {false:.3f} ({by_type})")
    print(f"  errors per 1,000 labels: {1000 * errors / size:.0f} before, {1000 * (errors - caught) / size:.0f} after")


def raw(rate: np.ndarray, label: np.ndarray) -> np.ndarray:
    """How far a pair's click rate stands from its label's, towards another grade."""
    way = {0: 1.0, GRADES - 1: -1.0}
    out = np.zeros(len(rate))
    for grade in range(GRADES):
        mine = rate[label == grade]
        far = (rate[label == grade] - mine.mean()) / mine.std()
        out[label == grade] = way[grade] * far if grade in way else np.abs(far)
    return out


def naive(rate: np.ndarray, label: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Chance to be wrong if each grade's log click rate were normal, whatever the query and the position."""
    logs = np.log(rate)
    score = prior * np.stack(
        [norm.pdf(logs, logs[label == g].mean(), logs[label == g].std()) for g in range(GRADES)], axis=1
    )
    return 1 - (score / score.sum(axis=1, keepdims=True))[np.arange(len(label)), label]


def self_confidence(label: np.ndarray, alone: np.ndarray) -> np.ndarray:
    """Confident learning's rank: the margin by which another class passes its threshold before the label's own."""
    margin = alone - thresholds(label, alone)
    own = margin[np.arange(len(label)), label].copy()
    margin[np.arange(len(label)), label] = -np.inf
    return margin.max(axis=1) - own


def oracle(
    world: World, truth: object, place: tuple, prior: np.ndarray, label: np.ndarray, *, carts: bool
) -> np.ndarray:
    """Chance to be wrong for one who knows what no amount of traffic can tell better."""
    q, c = place
    score = norm.pdf(truth.attract[q, c][:, None], np.array(world.attract) + truth.taste[q][:, None], world.popularity)
    if carts:
        score = score * norm.pdf(truth.cart[q, c][:, None], np.array(world.cart), world.whim)
    score = score * prior + 1e-300
    return 1 - (score / score.sum(axis=1, keepdims=True))[np.arange(len(label)), label]


if __name__ == "__main__":
    main()
