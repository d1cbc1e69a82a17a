"""Our engines compared with the usual alternatives: same pairs, checkpoint and cores, interleaved in one run.

    make bench          everything, within a quarter of an hour, on an otherwise idle machine
    python -m benchmarks.serving --tiny --out FOLDER      a minute: to see that it runs

Writes docs/benchmarks.md (the table), docs/benchmarks.svg (the chart) and docs/benchmarks.json (every measurement), and
the README's table between its marks; anew after every round, so that a run that is cut off leaves what it found. A
contestant that breaks is named in the page, and the others go on.
"""

import argparse
import csv
import json
import platform
import random
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.contestants import CONTESTANTS, GUIDELINE, MODEL, OURS, cores
from benchmarks.limit import Size, matrix_rate, size_of, work_of
from benchmarks.report import Found, Measured, write_readme, write_report
from judge.engines import Judge
from judge.records import Pair
from judge.words.guideline import load_guideline
from judge.words.prompt import PromptBuilder

SHOP = Path("examples/shop")
PAIRS = {1: 24, 5: 40, 20: 60, 100: 100}
"""Candidates a query: pairs that our engines score in a round."""
RIVAL_PAIRS = 8
"""Rivals compute every prompt whole, so their speed does not depend on the company: a few of the same pairs do."""
BATCHES = (1, 4, 8)
BUDGET = 900.0
"""No round begins that would end after so many seconds."""


class Process:
    """A contestant in a process of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        command = [sys.executable, "-m", "benchmarks.contestants", name]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        begun = time.perf_counter()
        self._read()
        self.start = time.perf_counter() - begun
        self.batch: int | None = None

    def score(self, pairs: list[Pair]) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"pairs": [asdict(p) for p in pairs], "batch": self.batch}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended; python -m benchmarks.contestants '{self.name}' shows why")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        self._process.communicate()


def draw(candidates: int, count: int) -> list[Pair]:
    """Pairs of the example shop: its queries, each with so many of its products."""
    chance = random.Random(candidates)
    with (SHOP / "queries.csv").open(encoding="utf-8") as stream:
        queries = list(csv.DictReader(stream))
    with (SHOP / "catalogue.csv").open(encoding="utf-8") as stream:
        products = list(csv.DictReader(stream))
    chance.shuffle(queries)
    pairs: list[Pair] = []
    for query in queries:
        chosen = sorted(chance.sample(products, min(candidates, count)), key=lambda row: len(row["title"]))
        for row in chosen[: count - len(pairs)]:
            texts = {name: row[name] for name in ("title", "brand", "category", "colour") if row[name]}
            pairs.append(Pair(len(pairs) + 1, query["query_id"], query["query"], row["candidate_id"], texts))
    return pairs


def best_batch(process: Process, pairs: list[Pair], sizes: tuple[int, ...]) -> int:
    """The batch size with which a contestant is fastest."""
    speeds: dict[int, float] = {}
    for size in sizes:
        process.batch = size
        speeds[size] = process.score(pairs)["seconds"]
    return min(speeds, key=lambda size: speeds[size])


def some(pairs: list[Pair], count: int) -> list[int]:
    """Places of a few pairs, evenly spread."""
    return [len(pairs) * i // count for i in range(count)]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="a few pairs, one round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    parser.add_argument("--readme", type=Path, help="write the table between this file's marks, too")
    parser.add_argument("--only", nargs="*", default=[name for name in CONTESTANTS if name != "reference"])
    given = parser.parse_args()
    begun = time.perf_counter()
    sets = {n: draw(n, 4 if given.tiny else count) for n, count in PAIRS.items() if not given.tiny or n in (1, 20)}
    few = 2 if given.tiny else RIVAL_PAIRS
    builder = PromptBuilder(load_guideline(GUIDELINE), Judge(MODEL).tokenizer)
    works = {n: work_of(builder.build(pairs)) for n, pairs in sets.items()}
    size = size_of(Judge(MODEL).model.directory)
    process = Process("reference")
    truth = {n: process.score([pairs[i] for i in some(pairs, few)])["answers"] for n, pairs in sets.items()}
    process.close()
    found = Found(
        machine=_machine(),
        cores=cores(),
        rates=[],
        ordered_rates=[],
        guideline=works[1].guideline,
        tokens={n: work.tokens for n, work in works.items()},
        attention={n: work.attention_share(size) for n, work in works.items()},
        starts={},
        peaks={},
        batches={},
        measured=[],
    )
    processes = begin(
        given.only, sets[1][: 2 if given.tiny else BATCHES[-1]], BATCHES[-1:] if given.tiny else BATCHES, found
    )
    found.measured = [Measured(name, n) for n in sets for name in processes]
    longest = 0.0
    for _ in range(1 if given.tiny else given.rounds):
        if found.rates and time.perf_counter() - begun + longest > BUDGET:
            break
        started = time.perf_counter()
        play(found, processes, sets, truth, size)
        longest = max(longest, time.perf_counter() - started)
        given.out.mkdir(parents=True, exist_ok=True)
        write_report(found, given.out)
        if given.readme:
            write_readme(found, given.readme)
        print(f"round {len(found.rates)}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    for process in processes.values():
        process.close()


def begin(names: list[str], sample: list[Pair], batches: tuple[int, ...], found: Found) -> dict[str, Process]:
    """Start contestants, and find each rival's best batch; those that break are left out."""
    processes: dict[str, Process] = {}
    for name in names:
        try:
            process = Process(name)
            if name in OURS:
                process.score(sample)  # the guideline's pass, and whatever else comes once
            else:
                process.batch = best_batch(process, sample, batches)
        except RuntimeError as error:
            found.broken[name] = str(error)
            continue
        processes[name] = process
        found.starts[name], found.batches[name] = process.start, process.batch
    return processes


def play(
    found: Found,
    processes: dict[str, Process],
    sets: dict[int, list[Pair]],
    truth: dict[int, list[list[float]]],
    size: Size,
) -> None:
    """One round: every contestant at every number of candidates."""
    plain, ordered = matrix_rate()
    found.rates.append(plain)
    found.ordered_rates.append(ordered)
    for row in [row for row in found.measured if row.name not in found.broken]:
        pairs = sets[row.candidates]
        chosen = some(pairs, len(truth[row.candidates]))
        ours = row.name in OURS
        try:
            result = processes[row.name].score(pairs if ours else [pairs[i] for i in chosen])
        except (RuntimeError, OSError) as error:
            found.broken[row.name] = str(error)
            continue
        _note(row, result, found, 2 * size.parameters)
        _judge(row, [result["answers"][i] for i in chosen] if ours else result["answers"], truth[row.candidates])
    # A contestant that broke before it was measured everywhere is named, and has no row.
    found.measured = [row for row in found.measured if row.speeds]


def _note(row: Measured, result: dict[str, Any], found: Found, work: int) -> None:
    speed = result["pairs"] / result["seconds"] / found.cores
    row.speeds.append(speed)
    row.shares.append(speed * found.tokens[row.candidates] * work / (found.rates[-1] * 1e9))
    found.peaks[row.name] = max(found.peaks.get(row.name, 0.0), result["peak_mib"])


def _judge(row: Measured, answers: list[Any], truth: list[list[float]]) -> None:
    for said, expected in zip(answers, truth, strict=False):
        row.asked += 1
        row.unparsable += said is None
        grade = said.index(max(said)) if isinstance(said, list) else said
        if isinstance(said, list):
            error = max(abs(a - b) for a, b in zip(said, expected, strict=True))
            row.largest_error = max(row.largest_error or 0.0, error)
        if grade is not None:
            row.other_grades = (row.other_grades or 0) + (grade != expected.index(max(expected)))


def _machine() -> str:
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.is_file() else ""
    name = text.split("model name")[1].split(":", 1)[1].split("\n")[0].strip() if "model name" in text else "processor"
    wide = "AVX-512" if "avx512f" in text else "AVX2" if "avx2" in text else platform.machine()
    return f"{name}, {wide}, {cores()} cores"


if __name__ == "__main__":
    main()
