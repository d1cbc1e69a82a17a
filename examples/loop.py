"""The whole loop on the example shop: label, audit, decide, export, train, search, evaluate, mine, label, train.

    python examples/loop.py [--out FOLDER] [--judge MODEL] [--start ENCODER]

Every command is printed and run; a killed loop is resumed by the same call. Two of five queries are kept apart: they
train nothing, and the table at the end is about them. `shop/grades.csv` plays the people: it decides on what the audit
flags, and says what is relevant. With so few queries the answer is most often "cannot tell".
"""

import argparse
import csv
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

SHOP = Path(__file__).parent / "shop"
CATALOGUE = ("--catalogue", SHOP / "catalogue.csv")
SPLITS = ("--splits", "train=0.6,test=0.4", "--products", "shared")
"""Of a shop this small: products may be in both parts, queries are not."""


def judge(*given: object) -> Any:
    """Run a command, show it, and return what it says as JSON; null where it cannot."""
    words = ["judge", *map(str, given)]
    print("$", shlex.join(words), flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "relevance_judge.cli.main", *words[1:], "--json"], stdout=subprocess.PIPE
    )
    if done.returncode:
        sys.exit(done.returncode)
    return json.loads(done.stdout) if done.stdout else None


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


def decide(run: Path, out: Path) -> None:
    """What people say of the flagged labels: the shop's own grades."""
    grades = {(row["query"], row["candidate_id"]): row["grade"] for row in rows_of(SHOP / "grades.csv")}
    judge("queue", run, "--to", "csv", "--out", out, "--overwrite")
    flagged = rows_of(out)
    for row in flagged:
        row["decision"] = grades.get((row["query"], row["candidate_id"]), "")
    if flagged:
        judge("decide", run, write(out, flagged), "--author", "the shop")


def unseen(folder: Path, out: Path) -> Path:
    """People's grades of the queries that nothing was trained on."""
    import pyarrow.parquet as pq

    queries = {row["query"] for row in pq.read_table(folder / "test-00000.parquet", columns=["query"]).to_pylist()}
    return write(out, [row for row in rows_of(SHOP / "grades.csv") if row["query"] in queries])


def main() -> None:
    """Go round once, and train again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/loop"))
    parser.add_argument("--judge", default="shop-135m")
    parser.add_argument("--start", default="minilm-l6")
    args = parser.parse_args()
    out, labelling = args.out, ("--judge", args.judge)
    out.mkdir(parents=True, exist_ok=True)
    run, mined, first, second = out / "run", out / "mined", out / "first", out / "second"

    judge("label", SHOP / "pairs.csv", *CATALOGUE, *labelling, "--out", run)
    judge("audit", run, SHOP / "engagement.csv", "--out", out / "audit", "--overwrite")
    decide(run, out / "queue.csv")
    judge("export", run, "--to", "listwise", *SPLITS, "--out", out / "set", "--overwrite")
    judge("train", out / "set", "--from", args.start, "--misspell", 0.15, "--out", first)
    gold = unseen(out / "set", out / "unseen.csv")
    judge("search", first, *CATALOGUE, "--queries", gold, "--out", out / "first.run", "--overwrite")
    judge("evaluate", first, "--gold", gold, *CATALOGUE, "--against", f"bm25,{args.start}")

    judge("mine", run, *CATALOGUE, "--encoder", first, "--per-query", 8, "--out", out / "mined.parquet", "--overwrite")
    judge("label", out / "mined.parquet", *CATALOGUE, *labelling, "--out", mined)
    both = ("--with", mined, "--to", "listwise", *SPLITS, "--out", out / "more", "--overwrite")
    judge("export", run, *both)
    judge("train", out / "more", "--loss", "circle", "--from", first, "--out", second)
    systems = ("--against", f"bm25,{args.start},{first}", "--report", out / "search.html", "--overwrite")
    found = judge("evaluate", second, "--gold", gold, *CATALOGUE, *systems)

    print(f"\n{found['gold']['queries']} queries that nothing was trained on; 95% intervals of resampled queries\n")
    names = {"bm25": "BM25", Path(args.start).name: "the encoder as it is", first.name: "trained on the labels"}
    table(found, {**names, second.name: "and on what it mined"})
    print(f"\nreport: {out / 'search.html'}")


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
