"""What judges of the shipped recipe say of queries that they did not learn from, and what a blend makes of it.

    python benchmarks/quality.py --data ../shared/data --work runs/quality --folds 3 --both --judges lexical,tuned \\
        --config judge/shipped/shop-135m/lora.yaml
    python -m benchmarks.out_of_fold ../shared/data --work runs/quality
    python -m benchmarks.out_of_fold ../shared/data

The first command teaches three judges, each on two thirds of the queries of ESCI and Chorus, and the lexical baseline.
The second keeps what each says of the other third in `benchmarks/out-of-fold.parquet`: a row a pair, by its place in
its set, without texts and people's grades. The third prints, of each set, the baseline, the judge alone, cosine and
overlap, blends fitted to the other two thirds, and the shipped blend on those queries that it was not fitted on, with
95% intervals by resampling queries.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.blend import NAMES, RatedSet, interval, joined, resampled, scored, shipped, standardised
from benchmarks.rated_sets import TEXTS, VALUES, Item, folds, read
from benchmarks.shipped_blend import FOLDER, MOST, fit
from judge.calibration.features import log_odds
from judge.run.seen import query_keys, read_seen
from judge.run.store import Run

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
FOLDS, SEED = 3, 0
KEPT = Path(__file__).parent / "out-of-fold.parquet"
LEXICAL = "lexical"
FIGURES = ("accuracy", "quadratic kappa", "rank correlation")


def collect(data: Path, work: Path) -> pa.Table:
    """What the judges of all folds said, a row a pair."""
    rows: list[dict[str, Any]] = []
    for name in TEXTS:
        items = read(data, name)
        place = {id(item): at for at, item in enumerate(items)}
        for fold, (_, test) in enumerate(folds(items, FOLDS, SEED)):
            folder = work / f"{name}-{FOLDS}-{fold}-both"
            pairs, *told = scored(Run.open(folder / "run-tuned"))
            lexical = json.loads((folder / "grades-lexical.json").read_text())
            assert len(pairs) == len(test), f"{name}, fold {fold}: {len(pairs)} of {len(test)} pairs have probabilities"
            for pair, own, values in zip(pairs, *told, strict=True):
                at = int(pair.candidate_id)
                numbers = {f"grade_{value}": chance for value, chance in zip(VALUES, own, strict=True)}
                texts = dict(zip(NAMES[1:], values[1:], strict=True))
                rows.append(
                    {"set": name, "row": place[id(test[at])], "fold": fold, **numbers, **texts, LEXICAL: lexical[at]}
                )
    table = pa.Table.from_pylist(sorted(rows, key=lambda row: (row["set"], row["row"])))
    small = [
        pa.field(n, pa.float32() if t == pa.float64() else t)
        for n, t in zip(table.column_names, table.schema.types, strict=True)
    ]
    return table.cast(pa.schema(small))


def rated(items: list[Item], kept: pa.Table) -> tuple[RatedSet, Ints]:
    """A set with what was said of it, and each pair's fold."""
    assert kept["row"].to_pylist() == list(range(len(items))), "the file is of other pairs"
    own = np.column_stack([kept[f"grade_{value}"].to_numpy() for value in VALUES]).astype(np.float64)
    means = [np.mean(list(item.raters.values())) if item.raters else item.grade for item in items]
    found = RatedSet(
        own,
        np.column_stack([log_odds(own), *(kept[name].to_numpy().astype(np.float64) for name in NAMES[1:])]),
        np.array([VALUES.index(item.grade) for item in items]),
        np.array(means, dtype=np.float64),
        np.unique([item.query for item in items], return_inverse=True)[1],
        VALUES,
    )
    return found, kept["fold"].to_numpy()


def crossed(both: RatedSet, fold: Ints, few: npt.NDArray[np.bool_]) -> tuple[Ints, Floats]:
    """Grades' places and scores, each pair's by a blend fitted to the other folds' pairs among `few`."""
    given, score = np.empty(len(fold), dtype=np.int64), np.empty(len(fold))
    for number in range(FOLDS):
        inside = fold == number
        found = fit(both, np.flatnonzero(few & ~inside))
        given[inside], score[inside] = found.apply(both.values[inside]).argmax(axis=1), found.score(both.values[inside])
    return given, score


def learnt(name: str, one: RatedSet) -> npt.NDArray[np.bool_]:
    """Which pairs a blend is fitted to: of large queries some, as for the shipped one."""
    most, order = MOST.get(name, len(one.truth)), np.random.default_rng(3).permutation(len(one.truth))
    count, few = np.zeros(one.queries, dtype=np.int64), np.zeros(len(one.truth), dtype=bool)
    for at in order:
        few[at] = count[one.query[at]] < most
        count[one.query[at]] += 1
    return few


def unfitted(one: RatedSet, items: list[Item]) -> RatedSet:
    """The pairs of queries that the shipped blend was not fitted on."""
    seen = read_seen(FOLDER)
    assert seen is not None
    own = {query for query in {item.query for item in items} if not query_keys(query).isdisjoint(seen.held_out)}
    there = np.array([item.query not in own for item in items])
    columns = {name: getattr(one, name)[there] for name in ("own", "values", "truth", "mean")}
    return replace(one, **columns, query=np.unique(one.query[there], return_inverse=True)[1])


def report(data: Path) -> None:
    """Print each set's figures."""
    kept = pq.read_table(KEPT)
    names, texts = np.array(kept["set"].to_pylist()), {name: read(data, name) for name in TEXTS}
    sets = {name: rated(items, kept.filter(pa.array(names == name))) for name, items in texts.items()}
    blend = shipped()
    both = joined(*(one for one, _ in sets.values()))
    few = np.concatenate([learnt(name, one) for name, (one, _) in sets.items()])
    given, score = crossed(both, np.concatenate([fold for _, fold in sets.values()]), few)
    print(f"| set | n, queries | majority's accuracy | | {' | '.join(FIGURES)} |\n|---|---|---|---|---|---|---|")
    start = 0
    for name, (one, _) in sets.items():
        rows = slice(start, start := start + len(one.truth))
        baseline = kept.filter(pa.array(names == name))[LEXICAL].to_numpy()
        _show(_lead(name, one), "lexical baseline", one, baseline, None)
        _alone(" | | ", one)
        found = _show(" | | ", "blend fitted to the other folds", one, given[rows], score[rows])
        less = found - one.figures(baseline, score[rows], resampled(one.queries))
        print(f"| | | | less the baseline | {interval(less[:, 0], '+.3f')} | {interval(less[:, 1], '+.3f')} | |")
        rest = unfitted(one, texts[name])
        _alone(_lead("", rest), rest)
        _show(" | | ", "shipped blend", rest, blend.apply(rest.values).argmax(axis=1), blend.score(rest.values))


def _lead(name: str, one: RatedSet) -> str:
    return f"{name} | {len(one.truth):,}, {one.queries} | {np.bincount(one.truth).max() / len(one.truth):.3f}"


def _alone(lead: str, one: RatedSet) -> None:
    _show(lead, "judge alone", one, one.own.argmax(axis=1), one.own @ np.array(VALUES))
    _show(" | | ", "cosine and word overlap", one, None, standardised(one.values)[:, 1:].sum(axis=1))


def _show(lead: str, what: str, one: RatedSet, given: Ints | None, score: Floats | None) -> Floats:
    found = one.figures(given, np.zeros(len(one.truth)) if score is None else score, resampled(one.queries))
    cells = [interval(found[:, at], ".3f") for at in range(2 if score is None else 3)]
    print(f"| {lead} | {what} | {' | '.join((*cells, '')[:3])} |")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder that holds esci/ and chorus/")
    parser.add_argument("--work", type=Path, help="where benchmarks/quality.py kept its folds: write the file anew")
    asked = parser.parse_args()
    if asked.work:
        pq.write_table(collect(asked.data, asked.work), KEPT, compression="zstd")
    else:
        report(asked.data)
