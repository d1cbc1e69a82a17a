"""How well BM25, the embedded encoder and their fusion search, by people's grades of three development sets.

    python -m benchmarks.retrieval ../shared/data OUT [--sets esci,chorus,homedepot] [--encoder minilm-l6]

Writes OUT/SET/ (catalogue, queries, gold, runs, evaluation.json, report.html) and prints a table for each set. Vectors
are kept in the user's cache: killed, it resumes. The catalogue is every product that was rated for some query.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks.rated_sets import read
from judge.ratings.layout import RatingsLayout
from judge.words.guideline import load_guideline
from retriever.evaluate import EvaluationJob
from retriever.evaluation import Evaluation
from retriever.page import render
from retriever.search import Search, SearchConfig
from retriever.systems import DEPTH

FIELDS = ("title", "brand", "category", "colour", "description")
CUTS = {5 / 3: 0, 7 / 3: 1, 3.0: 2}
"""Home Depot's means of at least three raters, on three levels."""


def rows_of(data: Path, name: str) -> Iterator[tuple[str, str, dict[str, str], int]]:
    """Query, product id, texts and grade of every rated pair."""
    if name != "homedepot":
        for item in read(data, name):
            yield item.query, item.candidate_id, dict(item.texts), item.grade
        return
    with (data / name / "ratings.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            grade = next(grade for cut, grade in CUTS.items() if float(row["relevance"]) <= cut + 0.005)
            yield row["query"], row["product_id"], {"title": row["title"]}, grade


def lay_down(data: Path, name: str, out: Path) -> None:
    """Write a set as the files that the verbs take."""
    out.mkdir(parents=True, exist_ok=True)
    products: dict[str, dict[str, str]] = {}
    gold: dict[tuple[str, str], int] = {}
    for query, key, texts, grade in rows_of(data, name):
        products.setdefault(key, texts)
        gold.setdefault((query, key), grade)
    with (out / "catalogue.csv").open("w", encoding="utf-8", newline="") as stream:
        sheet = csv.DictWriter(stream, ("candidate_id", *FIELDS))
        sheet.writeheader()
        sheet.writerows({"candidate_id": key, **texts} for key, texts in products.items())
    with (out / "gold.csv").open("w", encoding="utf-8", newline="") as stream:
        rated = csv.writer(stream)
        rated.writerow(("query", "candidate_id", "grade"))
        rated.writerows((query, key, grade) for (query, key), grade in gold.items())


def evaluated(out: Path, encoder: str) -> Evaluation:
    """BM25, the encoder and their fusion on one set."""
    guideline = load_guideline()
    run = out / "fusion.run"
    if not run.exists():
        config = SearchConfig(top=DEPTH, fuse=["bm25"])
        Search(encoder, out / "catalogue.csv", out / "gold.csv", guideline, config).run(run)
    job = EvaluationJob(
        [encoder, str(run)],
        ["bm25", encoder],
        out / "gold.csv",
        out / "catalogue.csv",
        guideline,
        RatingsLayout(),
    )
    return job.run()


def told(found: Evaluation) -> Iterator[str]:
    """The figures as lines of Markdown."""
    gold, products = found.gold, found.catalogue["products"]
    yield f"{gold['queries']:,} queries, {gold['used']:,} rated pairs, {products:,} products"
    yield "| system | NDCG@10, all results | judged only | judged@10 | recall@50 | Cat@10 | misspelt |"
    yield "|---|---|---|---|---|---|---|"
    for system in found.systems:
        full, judged = system.figures["full"], system.figures["judged"]
        cells = [_range(full["ndcg@10"]), _range(judged["ndcg@10"]), f"{system.share_judged.value:.0%}"]
        cells.append(f"{full['recall@50'].value:.3f}")
        cells.append(f"{full['cat@10'].value:.3f}" if "cat@10" in full else "–")
        cells.append(_range(system.misspelt["full"]["difference"]) if system.misspelt else "–")
        yield f"| {system.name} | {' | '.join(cells)} |"
    for each in found.comparisons:
        for column, gaps in each.differences.items():
            gap = gaps["ndcg@10"]
            least = "–" if gap.detectable is None else f"{gap.detectable:.3f}"
            yield f"{each.system} less {each.baseline}, {column}: {_range(gap)}, {gap.verdict}; detectable {least}"
    for system in found.systems:
        for split in system.separation:
            auc = "–" if split.auc is None else f"{split.auc:.3f} ({split.low:.3f} to {split.high:.3f})"
            yield f"{system.name}, AUC {split.upper} against {split.lower}: {auc}"


def _range(mean: object) -> str:
    value, low, high = (getattr(mean, name) for name in ("value", "low", "high"))
    return f"{value:.3f}" + ("" if low is None else f" ({low:.3f} to {high:.3f})")


def main() -> None:
    """Evaluate every set, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sets", default="esci,chorus,homedepot")
    parser.add_argument("--encoder", default="minilm-l6")
    given = parser.parse_args()
    for name in given.sets.split(","):
        folder = given.out / name
        if not (folder / "gold.csv").exists():
            lay_down(given.data, name, folder)
        found = evaluated(folder, given.encoder)
        (folder / "evaluation.json").write_text(json.dumps(found.as_json(), indent=1), encoding="utf-8")
        (folder / "report.html").write_text(render(found.as_json()), encoding="utf-8")
        print(f"\n## {name}\n")
        print(*told(found), sep="\n", flush=True)


if __name__ == "__main__":
    main()
