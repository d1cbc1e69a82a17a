"""Do audited labels make search better? The same training on four kinds of labels, as docs/retriever-protocol.md says.

    python -m benchmarks.retriever_claim --out FOLDER [--train 3000] [--test 1200] [--seeds 0,1] [--errors .2]

Needs Home Depot in ../shared/data. Everything lies in FOLDER, and what lies there is not made again: a killed run
resumes. No model that was trained on that set leaves it. Prints a table, and writes `results.json`.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.claim_labels import ERRORS, Pairs, labels, read
from judge.models.encoder import find_encoder
from judge.search.encoding import encoded
from judge.words.bm25 import Bm25
from retriever.config import load_config
from retriever.intervals import differences, means
from retriever.job import prepare, train
from retriever.measures import Cut, ndcg
from retriever.separation import clustered_auc

DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "homedepot" / "ratings.csv"
SPLIT_SEED = 2026
CUT = Cut(k=10)
HEADS = (
    "arm",
    "labels wrong",
    "NDCG@10 judged only",
    "unjudged as 0",
    "judged@10",
    "AUC 2/1",
    "AUC 1/0",
    "less the start",
)
SHOWN = 100
"""Results of a query that are looked at; of reciprocal ranks, too."""


def write_set(pairs: Pairs, label: np.ndarray, folder: Path) -> None:
    """A listwise set with its ids, as `judge export --to listwise` writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    lists, rows = [], []
    for place, number in enumerate(np.unique(pairs.query)):
        own = np.flatnonzero(pairs.query == number)
        lists.append((pairs.text[own[0]], [pairs.title[r] for r in own], [int(label[r]) for r in own]))
        said = {"split": "train", "place": place, "query_id": f"q{number}"}
        rows += [{**said, "candidate_id": pairs.product[r], "grade": int(label[r])} for r in own]
    names = ("query", "docs", "labels")
    pq.write_table(
        pa.table(dict(zip(names, map(list, zip(*lists, strict=True)), strict=True))), folder / "train-00000.parquet"
    )
    pq.write_table(pa.Table.from_pylist(rows), folder / "rows.parquet")


class Test:
    """Unseen queries, with people's grades, over a corpus."""

    def __init__(self, pairs: Pairs, corpus: Mapping[str, str], cache: Path) -> None:
        self.pairs, self.cache = pairs, cache
        self.titles, self.place = list(corpus.values()), {key: at for at, key in enumerate(corpus)}
        self.rows = [np.flatnonzero(pairs.query == number) for number in np.unique(pairs.query)]
        self.queries = [pairs.text[own[0]] for own in self.rows]

    def encoder(self, name: str) -> np.ndarray:
        """An encoder's scores, shape (queries, documents)."""
        found = find_encoder(name)
        texts = np.asarray(encoded(self.titles, found, "document", cache=self.cache), dtype=np.float32)
        return np.asarray(encoded(self.queries, found, "query", cache=self.cache), dtype=np.float32) @ texts.T

    def bm25(self) -> np.ndarray:
        """The same of BM25."""
        found = np.zeros((len(self.queries), len(self.titles)), dtype=np.float32)
        for row, (places, scores) in enumerate(Bm25(self.titles).top(self.queries, len(self.titles))):
            found[row, places] = scores
        return found

    def measured(self, scores: np.ndarray) -> dict[str, np.ndarray]:
        """Each measure by query, and the scores of the judged pairs."""
        found: dict[str, list[float]] = {"full": [], "judged only": [], "judged": []}
        own_scores, own_grades = [], []
        for row, own in enumerate(self.rows):
            grade, places = self.pairs.grade[own], np.array([self.place[self.pairs.product[r]] for r in own])
            of = dict(zip(places.tolist(), grade.tolist(), strict=True))
            first = np.argsort(-scores[row], kind="stable")[: CUT.k]
            shown = np.array([of.get(int(place), -1) for place in first])
            found["full"].append(ndcg(shown, grade, CUT))
            found["judged only"].append(ndcg(grade[np.argsort(-scores[row, places], kind="stable")], grade, CUT))
            found["judged"].append(float((shown >= 0).mean()))
            own_scores.append(scores[row, places])
            own_grades.append(grade)
        columns = {name: np.array(values) for name, values in found.items()}
        sizes = [len(own) for own in self.rows]
        more = {"score": np.concatenate(own_scores), "grade": np.concatenate(own_grades)}
        return columns | more | {"query": np.repeat(np.arange(len(sizes)), sizes)}


def reciprocal(scores: np.ndarray) -> np.ndarray:
    """What each document's rank is worth in rank fusion."""
    rank = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1, kind="stable")
    return np.where(rank < SHOWN, 1 / (61.0 + rank), 0.0)


def kept(path: Path, made: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What is on disk, or is made and put there."""
    if not path.is_file():
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, **made())
        partial.replace(path)
    with np.load(path) as stored:
        return dict(stored)


def main() -> None:
    """Make what is missing, and print what there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--train", type=int, default=3000)
    parser.add_argument("--test", type=int, default=1200)
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--worlds", default="grid,feed")
    parser.add_argument("--arms", help="some only, such as unaudited,audited-grid")
    parser.add_argument("--errors", type=float, default=ERRORS, help="share of the labels that is wrong, unless true")
    parser.add_argument("--corpus", choices=("pool", "all"), default="all")
    args = parser.parse_args()
    if not DATA.is_file():
        print(f"skipped: there is no {DATA}")
        return
    pairs, out = read(DATA), args.out
    order = np.random.default_rng(SPLIT_SEED).permutation(pairs.query.max() + 1)
    learn, unseen = pairs.of(order[args.test : args.test + args.train]), pairs.of(order[: args.test])
    corpus = unseen if args.corpus == "pool" else pairs
    test = Test(unseen, dict(zip(corpus.product, corpus.title, strict=True)), out / "cache")
    (out / "results").mkdir(parents=True, exist_ok=True)
    # What lies in the folder is not made again: it has to be of this share of errors.
    share = out / "errors"
    if not share.is_file():
        share.write_text(str(ERRORS if list((out / "results").iterdir()) else args.errors))
    if float(share.read_text()) != args.errors:
        raise SystemExit(f"{out}: was begun with --errors {share.read_text()}; name another --out")
    found: dict[str, dict[str, np.ndarray]] = {}
    found["start"] = kept(out / "results" / "start.npz", lambda: test.measured(test.encoder("minilm-l6")))
    found["bm25"] = kept(out / "results" / "bm25.npz", lambda: test.measured(test.bm25()))
    fused = lambda: test.measured(reciprocal(test.encoder("minilm-l6")) + reciprocal(test.bm25()))  # noqa: E731
    found["fusion"] = kept(out / "results" / "fusion.npz", fused)
    worlds = args.worlds.split(",")
    arms = ["true", "unaudited", *(f"{kind}-{world}" for world in worlds for kind in ("audited", "clicks"))]
    arms = args.arms.split(",") if args.arms else arms
    for seed in map(int, args.seeds.split(",")):
        for arm in arms:
            name = f"{arm}-{seed}"
            own = lambda a=arm, s=seed: run(a, s, learn, test, args)  # noqa: E731
            found[name] = kept(out / "results" / f"{name}.npz", own)
            report(found, out, learn)
    compare(found)


def run(arm: str, seed: int, learn: Pairs, test: Test, args: argparse.Namespace) -> dict[str, np.ndarray]:
    """One training, measured."""
    out = args.out
    label = labels(arm, learn, seed, out, args.errors)
    write_set(learn, label, out / "sets" / f"{arm}-{seed}")
    config = load_config().changed(seed=seed, epochs=2)
    model = out / "models" / f"{arm}-{seed}"
    train(prepare(out / "sets" / f"{arm}-{seed}", "minilm-l6", config), model)
    return test.measured(test.encoder(str(model))) | {"wrong": np.array([(label != learn.grade).mean()])}


def report(found: Mapping[str, Mapping[str, np.ndarray]], out: Path, learn: Pairs) -> None:
    """The table so far, and everything in it as JSON."""
    columns = ("full", "judged only", "judged")
    lines = [f"| {' | '.join(HEADS)} |", "|---" * len(HEADS) + "|"]
    figures: dict[str, object] = {"training pairs": len(learn.grade), "test queries": len(found["start"]["full"])}
    for name, own in found.items():
        mean = means({column: own[column] for column in columns})
        gap = {
            other: differences({c: own[c] for c in columns[:2]}, {c: found[other][c] for c in columns[:2]})
            for other in found
            if other != name
        }
        aucs = []
        for upper in (2, 1):
            both = (own["grade"] == upper) | (own["grade"] == upper - 1)
            aucs.append(clustered_auc(own["score"][both], own["grade"][both] == upper, own["query"][both])[0])
        figures[name] = {
            "means": {c: vars(m) for c, m in mean.items()},
            "auc": aucs,
            "differences": {other: {c: vars(d) for c, d in each.items()} for other, each in gap.items()},
        }
        to_start = gap["start"]["judged only"] if name != "start" else None
        said = f"{to_start.value:+.4f} ({to_start.low:+.4f} to {to_start.high:+.4f})" if to_start else "–"
        cells = [f"{mean[c].value:.4f}" for c in ("judged only", "full", "judged")] + [f"{auc:.3f}" for auc in aucs]
        wrong = f"{float(own['wrong'][0]):.1%}" if "wrong" in own else "–"
        lines.append(f"| {name} | {wrong} | " + " | ".join(cells) + f" | {said} |")
    (out / "results.json").write_text(json.dumps(figures, indent=1, default=float))
    print("\n".join(lines), flush=True)


def compare(found: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Paired differences between arms, by query the mean of the seeds that both have."""
    of: dict[str, dict[str, Mapping[str, np.ndarray]]] = {}
    for name, own in found.items():
        arm, _, seed = name.rpartition("-")
        of.setdefault(arm, {})[seed] = own
    pairs = [(arm, "unaudited") for arm in of if arm.startswith("audited-")] + [("true", "unaudited")]
    pairs += [(arm, arm.replace("audited", "clicks")) for arm in of if arm.startswith("audited-")]
    print("\n| difference | seeds | judged only | unjudged as 0 |\n|---|---|---|---|")
    for one, other in pairs:
        both = sorted({*of.get(one, {})} & {*of.get(other, {})})
        if both:
            mine, theirs = (
                {c: np.mean([of[arm][seed][c] for seed in both], axis=0) for c in ("judged only", "full")}
                for arm in (one, other)
            )
            told = [f"{d.value:+.4f} ({d.low:+.4f} to {d.high:+.4f})" for d in differences(mine, theirs).values()]
            print(f"| {one} less {other} | {', '.join(both)} | {' | '.join(told)} |")


if __name__ == "__main__":
    main()
