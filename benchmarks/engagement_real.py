"""Real clicks vs human grades (TREC Session 2014): what the audit finds in thin data.

    python benchmarks/engagement_real.py FOLDER     # with impressions.csv and impressions_with_grades.csv

A tenth of the human grades is replaced by another one. Each method ranks the pairs by how wrong their grade seems; AP
is held against the prevalence. Grades: -2 and 0 = 0, 1 = 1, 2 and up = 2. Five seeds; mean and range.
"""

import csv
import sys
import tempfile
from pathlib import Path

import numpy as np
from engagement import naive, raw, self_confidence
from raters import plant
from sklearn.metrics import average_precision_score

from audit.engagement.auditing import Audit, Settings, audit
from audit.engagement.source import EngagementFile
from judge.labelling.importing import import_run
from judge.pairs.stage import Source
from judge.run.store import Run
from judge.words.guideline import load_guideline

SHAPES = ("uniform", "adjacent")


def main() -> None:
    """Print the audit of the grades as they are, then AP of planted errors."""
    folder = Path(sys.argv[1])
    with (folder / "impressions_with_grades.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    grade: dict[tuple[str, str], int] = {}
    for row in rows:
        # A pair that was graded twice keeps its first grade.
        grade.setdefault((row["query_id"], row["doc_id"]), min(max(int(row["grade"]), 0), 2))
    pairs = list(grade)
    truth = np.array(list(grade.values()))
    mapping = {"search_id": ["session_id"], "candidate_id": ["doc_id"], "position": ["rank"]}
    events = EngagementFile(folder / "impressions_with_grades.csv", mapping)
    with tempfile.TemporaryDirectory() as scratch:
        found = audited(Path(scratch) / "as-is", pairs, truth, events)
        own = found.labelled
        print(f"{len(own):,} pairs; impressions a pair: median {np.median(own.impressions):.0f}, most", end=" ")
        print(f"{own.impressions.max():.0f}; clicks {own.clicks.sum():.0f}; model {found.examination.model.name}")
        print(
            {k: v and round(v, 4) for k, v in found.examination.perplexities.items()}, found.examination.base_perplexity
        )
        print("click rates by grade", found.weighed.clicks.rates and found.weighed.clicks.rates.mean.round(3))
        print(f"flags on the grades as they are: {len(found.flags)}")
        for shape in SHAPES:
            scores: dict[str, list[float]] = {}
            flagged = []
            for seed in range(5):
                label = plant(truth[None, :], shape, 0.1, np.random.default_rng(seed))[0]
                found = audited(Path(scratch) / f"{shape} {seed}", pairs, label, events)
                own = found.labelled
                wrong = (
                    truth[[pairs.index(key) for key in zip(own.query_id, own.candidate_id, strict=True)]] != own.grade
                )
                flagged.append(
                    (len({f.pair for f in found.flags}), sum(wrong[p] for p in {f.pair for f in found.flags}))
                )
                rate = (own.clicks + 0.5) / (own.impressions + 10)
                ranks = {
                    "prevalence": np.zeros(len(own)),
                    "raw click rate": raw(rate, own.grade),
                    "rate per grade": naive(rate, own.grade, own.prior(3)),
                    "confident learning": self_confidence(own.grade, found.weighed.unlabelled),
                    "audit": found.weighed.wrong(own),
                }
                for name, score in ranks.items():
                    scores.setdefault(name, []).append(average_precision_score(wrong, score))
            print(f"{shape}: flagged and wrong {flagged}")
            for name, values in scores.items():
                print(f"  {name:20} AP {np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})")


def audited(path: Path, pairs: list[tuple[str, str]], label: np.ndarray, events: EngagementFile) -> Audit:
    """The audit of a run with these labels."""
    sheet = path.with_suffix(".csv")
    with sheet.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["query_id", "query", "candidate_id", "grade"])
        writer.writerows([q, f"query {q}", d, g] for (q, d), g in zip(pairs, label, strict=True))
    run, policy = Run(path), load_guideline()
    with run.writing():
        import_run(run, Source(sheet, grades={str(g): g for g in policy.values}, need_text=False), policy)
    return audit(run, events, Settings())


if __name__ == "__main__":
    main()
