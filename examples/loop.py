"""The whole loop on the example shop: label, audit, decide, export, train, search, evaluate, mine, label, train.

    python examples/loop.py [--out FOLDER] [--judge MODEL] [--start ENCODER]

Every command is printed and run, all in one process; a killed loop is resumed by the same call. Two of five queries are
kept apart: they train nothing, nothing is mined for them, and the table at the end is about them. `shop/grades.csv`
plays the people: it decides on what the audit flags, and says what is relevant. With so few queries the answer is most
often "cannot tell". The last line says how long it took, and which verbs took most of it.
"""

import argparse
import csv
import io
import json
import os
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

SHOP = Path(__file__).parent / "shop"
CATALOGUE = ("--catalogue", SHOP / "catalogue.csv")
SPLITS = ("--splits", "train=0.6,test=0.4", "--products", "shared")
"""Of a shop this small: products may be in both parts, queries are not."""


def judge(*given: object) -> Any:
    """Run a command, show it, and return what it says as JSON; null where it says nothing. A failure ends the loop."""
    from relevance_judge.cli.main import main as command

    words = ["judge", *map(str, given)]
    print("$", shlex.join(words), flush=True)
    sys.argv = [*words, "--json"]
    with redirect_stdout(io.StringIO()) as said:
        try:
            command()
        except SystemExit as end:
            if end.code:
                raise
    return json.loads(said.getvalue() or "null")


def rows_of(path: Path) -> list[dict[str, str]]:
    """A CSV file's rows."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    """Rows as a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


def decide(run: Path, out: Path, judge: Callable[..., Any]) -> None:
    """What people say of the flagged labels: the shop's own grades."""
    grades = {(row["query"], row["candidate_id"]): row["grade"] for row in rows_of(SHOP / "grades.csv")}
    judge("queue", run, "--to", "csv", "--out", out, "--overwrite")
    flagged = rows_of(out)
    for row in flagged:
        row["decision"] = grades.get((row["query"], row["candidate_id"]), "")
    if flagged:
        judge("decide", run, write(out, flagged), "--author", "the shop")


def queries_of(split: Path) -> set[str]:
    """The queries of a split of a set."""
    import pyarrow.parquet as pq

    return {row["query"] for row in pq.read_table(split, columns=["query"]).to_pylist()}


def graded(split: Path, out: Path) -> Path:
    """People's grades of a split's queries."""
    queries = queries_of(split)
    return write(out, [row for row in rows_of(SHOP / "grades.csv") if row["query"] in queries])


class Clock:
    """How long the loop and its verbs take."""

    def __init__(self) -> None:
        self.began, self.seconds = time.monotonic(), Counter[str]()

    def timed(self, run: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, its processor time counted under the name of its first argument."""

        def called(verb: str, *given: object) -> Any:
            before = sum(os.times()[:4])
            found = run(verb, *given)
            self.seconds[verb] += round(sum(os.times()[:4]) - before, 1)
            return found

        return called

    def __str__(self) -> str:
        most = ", ".join(f"{verb} {seconds:.0f}" for verb, seconds in self.seconds.most_common(5))
        minutes = (time.monotonic() - self.began) / 60
        return f"{minutes:.1f} minutes; {self.seconds.total():.0f} processor seconds: {most}"


def main() -> None:
    """Go round once, and train again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/loop"))
    parser.add_argument("--judge", default="shop-135m")
    parser.add_argument("--start", default="minilm-l6")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    clock = Clock()
    found = go_round(args, clock.timed(judge))
    print(f"\n{found['gold']['queries']} queries that nothing was trained on; 95% intervals of resampled queries\n")
    names = {"bm25": "BM25", Path(args.start).name: "the encoder as it is", "first": "trained on the labels"}
    table(found, {**names, "second": "and on what it mined"})
    print(f"\nreport: {args.out / 'search.html'}\n{clock}")


def go_round(args: argparse.Namespace, judge: Callable[..., Any]) -> Any:
    """Once round, and trained again: what the last evaluation says."""
    out, labelling = args.out, ("--judge", args.judge)
    run, mined, first, second = out / "run", out / "mined", out / "first", out / "second"

    judge("label", SHOP / "pairs.csv", *CATALOGUE, *labelling, "--out", run)
    judge("audit", run, SHOP / "engagement.csv", "--out", out / "audit", "--overwrite")
    decide(run, out / "queue.csv", judge)
    judge("export", run, "--to", "listwise", *SPLITS, "--out", out / "set", "--overwrite")
    judge("train", out / "set", "--from", args.start, "--misspell", 0.15, "--out", first)
    gold = graded(out / "set" / "test-00000.parquet", out / "unseen.csv")
    judge("search", first, *CATALOGUE, "--queries", gold, "--out", out / "first.run", "--overwrite")
    judge("evaluate", first, "--gold", gold, *CATALOGUE, "--against", f"bm25,{args.start}")

    learned = graded(out / "set" / "train-00000.parquet", out / "learned.csv")
    asked = ("--queries", learned, "--encoder", first, "--per-query", 8)
    judge("mine", run, *CATALOGUE, *asked, "--out", out / "mined.parquet", "--overwrite")
    judge("label", out / "mined.parquet", *CATALOGUE, *labelling, "--out", mined)
    both = ("--with", mined, "--to", "listwise", *SPLITS, "--out", out / "more", "--overwrite")
    judge("export", run, *both)
    judge("train", out / "more", "--loss", "circle", "--from", first, "--out", second)
    systems = ("--against", f"bm25,{args.start},{first}", "--report", out / "search.html", "--overwrite")
    return judge("evaluate", second, "--gold", gold, *CATALOGUE, *systems)


def table(found: dict[str, Any], names: dict[str, str]) -> None:
    """One line a system, in the order of the names."""
    measure = found["primary"]
    print(f"{'':26}{measure + ', judged only':28}{measure + ', all results':28}misspelt")
    for system in sorted(found["systems"], key=lambda system: [*names].index(system["name"])):
        columns = [system["figures"][column][measure] for column in ("judged", "full")]
        typed = (system["misspelt"] or {}).get("judged", {}).get("misspelt")
        cells = [between(each) for each in columns]
        last = f"{typed['value']:.3f}" if typed and typed["value"] is not None else "–"
        print(f"{names[system['name']]:26}{cells[0]:28}{cells[1]:28}{last}")


def between(mean: dict[str, Any]) -> str:
    """A figure with its interval."""
    if mean["value"] is None:
        return "–"
    return f"{mean['value']:.3f}" + (f" ({mean['low']:.3f}–{mean['high']:.3f})" if mean["low"] is not None else "")


if __name__ == "__main__":
    main()
