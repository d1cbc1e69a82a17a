"""How fast and how large each export is: a run of many labels, each format in a process of its own.

    python -m benchmarks.exports [LABELS] [--formats a,b] [--keep FOLDER]

Makes a run of LABELS labels (a million unless given) of 40 candidates a query out of 50,000 products, in the store's
own format with labels drawn as the fake engine draws them; then runs `judge export` for each format. Prints a table:
seconds, processor seconds, input rows per second of each, the process's peak memory, records, and
MB written. `--keep` leaves the run there
(and finds it again); exports are removed as soon as they are measured.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.pipeline import CANDIDATES, PRODUCTS, WORDS
from judge.export.formats import formats
from judge.files import now
from judge.fingerprint import Fingerprint
from judge.run.labels import label_schema
from judge.run.manifest import Manifest, Tally
from judge.run.store import Run
from judge.words.guideline import load_guideline

PART = 50_000
SPLITS = "train=0.8,validation=0.1,test=0.1"


def products(fields: tuple[str, ...]) -> pa.Array:
    """Texts of 50,000 products: nine words of title, 30 of description, one of the rest."""
    draw = np.random.default_rng(1)
    lengths = {"title": 9, "description": 30, "category": 3}
    texts = {}
    for name in fields:
        words = draw.choice(WORDS, (PRODUCTS, lengths.get(name, 1)))
        texts[name] = pa.array([" ".join(row) for row in words.tolist()])
    return pa.StructArray.from_arrays(list(texts.values()), list(texts))


def make_run(folder: Path, labels: int) -> None:
    """A finished run of so many labels."""
    guideline = load_guideline()
    run = Run(folder)
    maker = Fingerprint(parts={"judge": "fake", "guideline": f"{guideline.name} {guideline.version}"})
    candidates = products(tuple(field.name for field in guideline.fields))
    draw = np.random.default_rng(2)
    grades = np.array(guideline.values)
    with run.writing():
        made = {"fingerprint": maker.value, "parts": maker.parts, "inputs": {}, "files": {}, "created": now()}
        run.begin(Manifest(guideline=guideline.model_dump(mode="json"), rows=labels, **made))
        writer = None
        for start in range(0, labels, PART):
            size = min(PART, labels - start)
            rows = np.arange(start, start + size)
            query = rows // CANDIDATES
            chosen = draw.integers(0, PRODUCTS, size)
            # A stride that is no divisor keeps a query's candidates apart.
            chosen = (chosen // CANDIDATES * CANDIDATES + rows % CANDIDATES) % PRODUCTS
            words = [f"{WORDS[q % 18]} {WORDS[q // 18 % 18]} {WORDS[q // 324 % 18]} {q}" for q in query.tolist()]
            keys = pa.array([f"q{q}" for q in query.tolist()])
            ids = pa.array([f"P{product}" for product in chosen.tolist()])
            pairs = {"row": rows + 1, "query_id": keys, "query": words, "candidate_id": ids}
            pairs |= {"locale": pa.nulls(size, pa.string()), "candidate": candidates.take(pa.array(chosen))}
            pairs |= {"grade": pa.nulls(size, pa.int32()), "skip": pa.nulls(size, pa.string())}
            table = pa.table(pairs)
            writer = writer or pq.ParquetWriter(run.pairs_path, table.schema, compression="zstd")
            writer.write_table(table, row_group_size=16_384)
            weights = draw.integers(1, 65_537, (size, len(grades)))
            chances = weights / weights.sum(axis=1, keepdims=True)
            lists = pa.FixedSizeListArray.from_arrays(pa.array(chances.ravel()), len(grades))
            columns = {"row": rows + 1, "query_id": keys, "candidate_id": ids, "status": ["graded"] * size}
            columns |= {"grade": pa.array(grades[chances.argmax(axis=1)], pa.int32())}
            columns |= {"probabilities": lists.cast(pa.list_(pa.float64())), "expected_grade": chances @ grades}
            columns |= {"outside_mass": [0.01] * size, "reason": pa.nulls(size, pa.string())}
            columns |= {"fingerprint": [maker.value] * size}
            run.append(start, pa.table(columns, schema=label_schema()), Tally(judged=size))
        if writer:
            writer.close()
    run.finish()


def measure(run: Path, out: Path, form: str, *options: str) -> dict[str, Any]:
    """One export: seconds, peak memory in MiB, records, MB written."""
    command = [
        sys.executable,
        "-m",
        "relevance_judge.cli.main",
        "export",
        str(run),
        "--to",
        form,
        "--out",
        str(out),
        "--json",
    ]
    begun = time.perf_counter()
    child = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - begun
    if status:
        raise SystemExit(f"{form}: ended with {os.waitstatus_to_exitcode(status)}")
    found = json.loads(said)
    size = sum(path.stat().st_size for path in [out, *out.rglob("*")] if path.is_file())
    shutil.rmtree(out, ignore_errors=True)
    out.unlink(missing_ok=True)
    return {
        "format": " ".join([form, *options]),
        "seconds": seconds,
        "busy": usage.ru_utime + usage.ru_stime,
        "rows": found["input_rows"],
        "peak_mib": usage.ru_maxrss / 1024,
        "records": sum(found["records"].values()),
        "mb": size / 1e6,
    }


def main() -> None:
    """Make the run, measure, print."""
    arguments = sys.argv[1:]
    names = arguments[arguments.index("--formats") + 1].split(",") if "--formats" in arguments else [*formats()]
    labels = int(arguments[0]) if arguments and arguments[0].isdigit() else 1_000_000
    with tempfile.TemporaryDirectory() as scratch:
        keep = Path(arguments[arguments.index("--keep") + 1]) if "--keep" in arguments else Path(scratch)
        run = keep / f"run-{labels}"
        if not (run / "run.json").is_file():
            keep.mkdir(parents=True, exist_ok=True)
            make_run(run, labels)
        head = "| format | seconds | CPU s | rows/s | rows/CPU s | peak MiB | records | MB |"
        print(f"{head}\n|{'---|' * 8}", flush=True)
        wanted = [(form,) for form in names if form != "splits"]
        # Near-duplicates are found once more; products are shared, since here every one is in hundreds of queries.
        if "splits" in names or "--formats" not in arguments:
            wanted.append(("triplets", "--splits", SPLITS, "--products", "shared"))
        for form, *options in wanted:
            found = measure(run, keep / "out", form, *options)
            rates = " | ".join(f"{found['rows'] / found[key]:,.0f}" for key in ("seconds", "busy"))
            print(
                f"| {found['format']} | {found['seconds']:,.0f} | {found['busy']:,.0f} | {rates} | "
                f"{found['peak_mib']:,.0f} | {found['records']:,} | {found['mb']:,.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
