"""Everything that is not the model: a million pairs through the fake engine, with the time of each step and the memory.

    python -m benchmarks.pipeline [PAIRS] [--profile]

Prints one JSON object: pairs per second of reading and of labelling, processor seconds, and the process's memory at
each tenth of the run (MiB, resident), which must stay flat.
"""

import cProfile
import csv
import json
import pstats
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

WORDS = [
    "red",
    "blue",
    "wool",
    "scarf",
    "boots",
    "hiking",
    "leather",
    "cotton",
    "lamp",
    "desk",
    "kettle",
    "steel",
    "organic",
    "granola",
    "nut",
    "shoes",
    "oak",
    "chair",
]
PRODUCTS = 50_000
CANDIDATES = 40


def write_input(folder: Path, pairs: int) -> tuple[Path, Path]:
    """A catalogue of 50,000 products and queries of 40 candidates each."""
    draw = random.Random(1)
    catalogue, rows = folder / "catalogue.csv", folder / "pairs.csv"
    with catalogue.open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(["candidate_id", "title", "brand", "category", "colour"])
        for i in range(PRODUCTS):
            title, category = " ".join(draw.choices(WORDS, k=9)), " > ".join(draw.choices(WORDS, k=3))
            out.writerow([f"P{i}", title, draw.choice(WORDS).title(), category, draw.choice(WORDS)])
    with rows.open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(["query", "candidate_id"])
        for query in range(pairs // CANDIDATES):
            text = " ".join(draw.choices(WORDS, k=4)) + f" {query}"
            out.writerows([text, f"P{c}"] for c in draw.sample(range(PRODUCTS), CANDIDATES))
    return catalogue, rows


def resident() -> float:
    """This process's resident memory in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def watched(total: int, memory: list[float]) -> Callable[[int], None]:
    """Notes the memory at each tenth of a run."""
    done = 0

    def note(rows: int) -> None:
        nonlocal done
        done += rows
        if done >= total * (len(memory) + 1) // 10:
            memory.append(round(resident()))

    return note


def main(pairs: int, profile: bool) -> None:
    """Run, measure, print."""
    from judge.engines import Serving
    from judge.labelling.job import Labelling
    from judge.pairs.stage import Source
    from judge.run.store import Run
    from judge.words.guideline import load_guideline

    with tempfile.TemporaryDirectory() as folder:
        catalogue, rows = write_input(Path(folder), pairs)
        work = Labelling(Source(rows, catalogue), load_guideline(), "fake", Serving("fake"))
        run = Run(Path(folder) / "run")
        memory: list[float] = []
        begun, busy = time.perf_counter(), time.process_time()
        with run.writing():
            work.begin(run)
            read, read_busy = time.perf_counter(), time.process_time()
            profiler = cProfile.Profile()
            if profile:
                profiler.enable()
            work.go_on(run, watched(pairs, memory))
            profiler.disable()
        end, end_busy = time.perf_counter(), time.process_time()
        run.check_whole()
    found = {
        "pairs": pairs,
        "reading_pairs_per_second": round(pairs / (read - begun)),
        "labelling_pairs_per_second": round(pairs / (end - read)),
        "reading_processor_seconds": round(read_busy - busy, 1),
        "labelling_processor_seconds": round(end_busy - read_busy, 1),
        "memory_mib_by_tenths": memory,
    }
    print(json.dumps(found, indent=2))
    if profile:
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    sizes = [argument for argument in sys.argv[1:] if argument.isdigit()]
    main(int(sizes[0]) if sizes else 1_000_000, "--profile" in sys.argv)
