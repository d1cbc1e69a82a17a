"""How good judges are on queries they have not seen: the development sets, cross-validated by query.

    python benchmarks/quality.py --data ../shared/data --work runs/quality --folds 1
    python benchmarks/quality.py --data ../shared/data --work runs/quality --folds 5 --judges lexical --sets esci

Runs unattended: every judge's grades of every fold are kept in --work, and the same command resumes where it stopped,
with the same --seed, --base and --config. Prints accuracy and quadratic kappa with 95% intervals over queries, next to
the majority class and, for Chorus, each rater; and the same for products that stand under no training query.
`--folds 1` is one split of the queries, 80 to 20.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import lexical
import numpy as np
from rated_sets import RATERS, TEXTS, VALUES, Item, folds, read, write_ratings

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
MEASURES = ("accuracy", "weighted_kappa", "within_1", "macro_f1")


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    data: Path
    work: Path
    sets: list[str]
    judges: list[str]
    folds: int
    fold: int | None
    """The only one to run and show; None: all."""
    limit: int | None
    base: str
    config: Path | None
    both: bool
    """Whether a judge learns from the training parts of both sets and is tested on both test parts."""
    seed: int


@dataclass(frozen=True)
class Fold:
    """One fold: where its files go, what to learn from, what to grade."""

    folder: Path
    taught: Path
    """Where what was learnt is kept: the folder, or one that both sets share."""
    train: list[Item]
    test: list[Item]


def majority(options: Options, fold: Fold) -> list[int]:
    """The commonest grade of the training part, for every pair."""
    counts = [sum(item.grade == value for item in fold.train) for value in VALUES]
    return [VALUES[int(np.argmax(counts))]] * len(fold.test)


def boosted(options: Options, fold: Fold) -> list[int]:
    """The lexical baseline."""
    return lexical.predict(fold.train, fold.test, options.seed)


def untuned(options: Options, fold: Fold) -> list[int | None]:
    """The unchanged base, with the full guideline."""
    return _label(fold, options.base, "untuned")


def tuned(options: Options, fold: Fold) -> list[int | None]:
    """The base, fine-tuned on the training part."""
    ratings, adapter = fold.taught / "train.jsonl", fold.taught / "adapter"
    write_ratings(fold.train, ratings)
    more = ["--config", str(options.config)] if options.config else []
    raters = [rater for rater in RATERS if any(rater in item.row() for item in fold.train)]
    _judge("finetune", ratings, "--raters", ",".join(raters), "--base", options.base, "--out", adapter, *more)
    return _label(fold, str(adapter), "tuned")


def cross_encoded(options: Options, fold: Fold) -> list[int]:
    """The same base with a classifier's head, all its weights trained."""
    import cross_encoder

    trained = fold.taught / "cross-encoder"
    if not trained.is_dir():
        cross_encoder.train(fold.train, options.base, trained, options.seed)
    return cross_encoder.predict(fold.test, trained, options.base)


def ensembled(options: Options, fold: Fold) -> list[int]:
    """The fine-tuned judge, the mean of several ways to ask it."""
    import ensemble

    if not (fold.taught / "adapter" / "judge.json").is_file():
        tuned(options, fold)
    return ensemble.predict(fold.test, fold.taught / "adapter")


JUDGES: dict[str, Callable[[Options, Fold], Sequence[int | None]]] = {
    "majority": majority,
    "lexical": boosted,
    "untuned": untuned,
    "tuned": tuned,
    "ensemble": ensembled,
    "cross-encoder": cross_encoded,
}


def _label(fold: Fold, judge: str, name: str) -> list[int | None]:
    """Grades; null where the judge gave none."""
    pairs, run, out = fold.folder / "test.jsonl", fold.folder / f"run-{name}", fold.folder / f"labels-{name}.jsonl"
    # Ids are the rows' numbers and no grade is in the file: a judge cannot look anything up.
    asked = [{"query": item.query, "candidate_id": str(at), **item.texts} for at, item in enumerate(fold.test)]
    pairs.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in asked), encoding="utf-8")
    _judge("label", pairs, "--judge", judge, "--out", run)
    _judge("export", run, "--to", "jsonl", "--out", out, "--overwrite")
    graded = {row["candidate_id"]: row["grade"] for row in map(json.loads, out.read_text("utf-8").splitlines())}
    return [graded.get(str(at)) for at in range(len(fold.test))]


def _judge(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "relevance_judge.cli.main", *map(str, arguments)], check=True, cwd=ROOT)


@dataclass(frozen=True)
class Graded:
    """A pair with a judge's grade of it, from the fold in which its query was held out."""

    item: Item
    grade: int | None
    taught: bool
    """Whether the product is in the fold's training part, under other queries."""


def grade(options: Options, name: str, judge: str) -> list[Graded]:
    """Every pair with a judge's grade of it."""
    names = list(TEXTS) if options.both else [name]
    dealt = {each: list(folds(read(options.data, each), options.folds, options.seed)) for each in names}
    found: list[Graded] = []
    for index in range(options.folds) if options.fold is None else (options.fold,):
        parts = {each: [_some(part, options.limit) for part in dealt[each][index]] for each in names}
        asked = {item.query for _, test in parts.values() for item in test}
        train, test = [i for each, _ in parts.values() for i in each if i.query not in asked], parts[name][1]
        kind = f"{options.folds}-{index}" + (f"-limit{options.limit}" if options.limit else "")
        taught = options.work / f"{'both' if options.both else name}-{kind}"
        folder = options.work / f"{name}-{kind}{'-both' if options.both else ''}"
        for each in (folder, taught):
            each.mkdir(parents=True, exist_ok=True)
            _check(each, options)
        kept = folder / f"grades-{judge}.json"
        if not kept.is_file():
            grades = JUDGES[judge](options, Fold(folder.resolve(), taught.resolve(), train, test))
            kept.write_text(json.dumps(grades))
        known = {item.candidate_id for item in train}
        given = zip(test, json.loads(kept.read_text()), strict=True)
        found += [Graded(item, grade, item.candidate_id in known) for item, grade in given]
    return found


def _check(folder: Path, options: Options) -> None:
    """Refuse a folder whose grades other choices made: they would be shown as those of these."""
    config = options.config.read_text(encoding="utf-8") if options.config else None
    asked = {"seed": options.seed, "base": options.base, "config": config}
    kept = folder / "choices.json"
    if not kept.is_file():
        kept.write_text(json.dumps(asked), encoding="utf-8")
    there = json.loads(kept.read_text(encoding="utf-8"))
    if differing := [name for name, value in asked.items() if there[name] != value]:
        raise SystemExit(f"{folder}: holds grades of another {', '.join(differing)}; choose another --work")


def _some(items: list[Item], limit: int | None) -> list[Item]:
    """At most `limit` pairs, drawn over all queries."""
    return items if limit is None else items[:: max(1, len(items) // limit)][:limit]


def figures(reference: Sequence[int], given: Sequence[int], queries: Sequence[str]) -> dict[str, str]:
    """The measures as text, each with its interval."""
    from judge.statistics.agreement import agreement_measures
    from judge.statistics.intervals import by_query, confusion_by_query

    matrices = confusion_by_query(queries, reference, given, VALUES)
    found = {}
    for name in MEASURES:
        estimate = by_query(matrices, agreement_measures()[name].of_confusion(VALUES)[name])
        value = "–" if estimate.value is None else f"{estimate.value:.3f}"
        found[name] = value + (f" ({estimate.low:.2f} to {estimate.high:.2f})" if estimate.interval else "")
    return found


def table(options: Options, name: str) -> list[tuple[str, ...]]:
    """One row a judge, one for it on unseen products; where a set has raters, one vs each, and for each two of them."""
    rows = []
    for judge in options.judges:
        told = grade(options, name, judge)
        graded = [(each.item, each.grade) for each in told if each.grade is not None]
        new = [(each.item, each.grade) for each in told if each.grade is not None and not each.taught]
        for what, some in ((judge, graded), (f"{judge}, unseen products", new)):
            if some:
                found = figures([i.grade for i, _ in some], [g for _, g in some], [i.query for i, _ in some])
                rows.append((what, f"{len(some):,}", *found.values()))
        for rater in RATERS if judge not in ("majority", "untuned") else ():
            if both := [(item, grade) for item, grade in graded if rater in item.raters]:
                vs = figures([i.raters[rater] for i, _ in both], [g for _, g in both], [i.query for i, _ in both])
                rows.append((f"{judge} vs {rater}", f"{len(both):,}", *vs.values()))
    everybody = read(options.data, name)
    for index, first in enumerate(RATERS):
        for second in RATERS[index + 1 :]:
            both = [item for item in everybody if {first, second} <= item.raters.keys()]
            if both:
                found = figures(
                    [i.raters[first] for i in both], [i.raters[second] for i in both], [i.query for i in both]
                )
                rows.append((f"{second} vs {first}", f"{len(both):,}", *found.values()))
    return rows


def main() -> None:
    """Run what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds esci/ and chorus/")
    parser.add_argument("--work", type=Path, required=True, help="where folds, adapters and grades are kept")
    parser.add_argument("--sets", default="esci,chorus")
    parser.add_argument("--judges", default=",".join(JUDGES))
    parser.add_argument("--folds", type=int, default=1, help="1: one split, 80 to 20")
    parser.add_argument(
        "--fold", type=int, help="only this one, from 0: others may run at the same time, in the same --work"
    )
    parser.add_argument("--limit", type=int, help="so many pairs of each part only, to try it out")
    parser.add_argument("--base", default="smollm2-135m")
    parser.add_argument("--config", type=Path, help="what to change of finetune/lora.yaml")
    parser.add_argument("--both", action="store_true", help="one judge a fold, fine-tuned on both sets")
    parser.add_argument("--seed", type=int, default=0)
    given = vars(parser.parse_args())
    options = Options(**given | {key: given[key].split(",") for key in ("sets", "judges")})
    if unknown := [*(set(options.sets) - set(TEXTS)), *(set(options.judges) - set(JUDGES))]:
        parser.error(f"there is no {unknown[0]!r}; sets: {', '.join(TEXTS)}; judges: {', '.join(JUDGES)}")
    if options.fold is not None and not 0 <= options.fold < options.folds:
        parser.error(f"there is no fold {options.fold}: {options.folds} folds are 0 to {options.folds - 1}")
    for name in options.sets:
        rows = table(options, name)
        kind = "one split, 80 to 20" if options.folds == 1 else f"{options.folds} folds"
        kind += "" if options.fold is None else f", of which fold {options.fold}"
        print(f"\n{name}: unseen queries, {kind} by query, seed {options.seed}\n")
        print("| judge | pairs | accuracy | quadratic kappa | within 1 | macro F1 |\n|---|---|---|---|---|---|")
        for row in rows:
            print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
