"""What several workers cost: processor seconds for a pair by stretches of a plan, vs the plain path, and staging.

    python -m benchmarks.overhead --rows 1000000 --rounds 3

One process does both, in turns, with the fake judge: all that is measured is what is around a judge. Start-up is apart.
"""

import argparse
import json
import resource
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.soak import job, write_pairs
from judge.labelling.label import label_run
from judge.labelling.worker import Worker, finish_run, plan_run, planned
from judge.pairs.stage import Source
from judge.run.store import Run

STRETCHES = 40


def main() -> None:
    """Measure, and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="overhead-") as folder:
        print(json.dumps(measure(Path(folder), given.rows, given.rounds), indent=2))


def measure(folder: Path, rows: int, rounds: int) -> dict[str, object]:
    """Microseconds of a processor for a pair, both ways, in each round."""
    write_pairs(folder / "pairs.csv", rows)
    run = Run(folder / "run")
    begun = time.process_time()
    with run.writing():
        plan_run(run, job(0.0, Source(folder / "pairs.csv")), max(1, rows // STRETCHES), {})
    staging = time.process_time() - begun
    seconds: dict[str, list[float]] = {"plain": [], "planned": []}
    files = 0
    for number in range(2 * rounds):
        way = ("plain", "planned")[number % 2]
        shutil.rmtree(run.labels_path, ignore_errors=True)
        work = job(0.0, Source(run.pairs_path))
        builder, engine = work.builder(), work.judge.open()
        begun = time.process_time()
        if way == "plain":
            label_run(run, builder, engine)
        else:
            Worker(run, work).label_all(planned(run).stretches)
        seconds[way].append(time.process_time() - begun)
        files = len(run.parts())
    with run.writing():
        finish_run(run, planned(run))
    a_pair = {way: [round(1e6 * each / rows, 2) for each in found] for way, found in seconds.items()}
    middle = {way: statistics.median(found) for way, found in a_pair.items()}
    return {
        "rows": rows,
        "stretches": len(planned(run).stretches),
        "staging_seconds": round(staging, 1),
        "microseconds_a_pair": a_pair,
        "overhead": round(middle["planned"] / middle["plain"] - 1, 4),
        "files": files,
        "bytes_of_labels": sum(part.stat().st_size for part in run.parts()),
        "bytes_of_pairs": run.pairs_path.stat().st_size,
        "bytes_of_plan": run.plan_path.stat().st_size,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


if __name__ == "__main__":
    main()
