"""Our engines beside what a user would do otherwise: same pairs, checkpoint and cores, interleaved in one run.

    make bench          everything, within a quarter of an hour, on an otherwise idle machine
    python -m benchmarks.serving --tiny --out FOLDER      seconds: to see that it runs

Writes docs/benchmarks.md (the table), docs/benchmarks.svg (the chart) and docs/benchmarks.json (every measurement).
"""

import argparse
import csv
import json
import platform
import random
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.contestants import CONTESTANTS, GUIDELINE, MODEL, OURS, cores, unique_tokens
from benchmarks.report import write_report
from judge.engines import Judge
from judge.guideline import load_guideline
from judge.prompt import PromptBuilder
from judge.records import Pair

SHOP = Path("examples/shop")
PAIRS = {1: 24, 5: 40, 20: 60, 100: 100}
"""Candidates a query: pairs that our engines score in a round."""
RIVAL_PAIRS = 12
"""Rivals compute every prompt whole, so their speed does not depend on the company: a few of the same pairs do."""
BATCHES = (1, 4, 16)
BUDGET = 780.0
"""No round begins that would end after so many seconds."""


@dataclass
class Measured:
    """One contestant at one number of candidates a query."""

    name: str
    candidates: int
    speeds: list[float] = field(default_factory=list)
    """Pairs per core-second, a value a round."""
    shares: list[float] = field(default_factory=list)
    """Of the arithmetic limit, a value a round."""
    unparsable: int = 0
    asked: int = 0
    largest_error: float | None = None
    """Of a probability, against every prompt computed alone; null where it gives none."""
    other_grades: int | None = None
    """Answers whose grade is not the reference's most probable one."""


@dataclass
class Found:
    """All that a run measured."""

    machine: str
    cores: int
    rates: list[float]
    """Matrix products, GFLOP/s a core with all cores at work, a value a round."""
    tokens: dict[int, float]
    """Unique tokens a pair, by candidates a query."""
    starts: dict[str, float]
    peaks: dict[str, float]
    batches: dict[str, int | None]
    measured: list[Measured]


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


def matrix_rate() -> float:
    """GFLOP/s of a core in fp32 matrix products of the judge's shapes, all cores at once, one thread each."""
    import torch

    rows, inner, outer, times = 512, 576, 1536, 40

    def work(_: int) -> float:
        torch.set_num_threads(1)
        a, b = torch.randn(rows, inner), torch.randn(outer, inner)
        best = float("inf")
        for _ in range(4):
            begun = time.perf_counter()
            for _ in range(times // 4):
                torch.nn.functional.linear(a, b)
            best = min(best, time.perf_counter() - begun)
        return 2 * rows * inner * outer * (times // 4) / best / 1e9

    with ThreadPoolExecutor(cores()) as pool:
        return statistics.mean(pool.map(work, range(cores())))


def parameters() -> int:
    """Parameters that every token meets: all but the embedding, which is looked up."""
    from transformers import AutoConfig, AutoModelForCausalLM

    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(Judge(MODEL).model.directory))
    return int(sum(p.numel() for p in model.parameters()) - model.get_input_embeddings().weight.numel())


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
    parser.add_argument("--only", nargs="*", default=[name for name in CONTESTANTS if name != "reference"])
    given = parser.parse_args()
    begun = time.perf_counter()
    sets = {n: draw(n, 4 if given.tiny else count) for n, count in PAIRS.items() if not given.tiny or n in (1, 20)}
    few = 2 if given.tiny else RIVAL_PAIRS
    builder = PromptBuilder(load_guideline(GUIDELINE), Judge(MODEL).tokenizer)
    tokens = {n: unique_tokens(builder.build(pairs)) / len(pairs) for n, pairs in sets.items()}
    work = 2 * parameters()
    process = Process("reference")
    truth = {n: process.score([pairs[i] for i in some(pairs, few)])["answers"] for n, pairs in sets.items()}
    process.close()
    processes = {name: Process(name) for name in given.only}
    for name, process in processes.items():
        sample = sets[1][: 2 if given.tiny else 16]
        if name in OURS:
            process.score(sample)  # the guideline's pass, and whatever else comes once
        else:
            process.batch = best_batch(process, sample, BATCHES[-1:] if given.tiny else BATCHES)
    found = Found(
        machine=_machine(),
        cores=cores(),
        rates=[],
        tokens=tokens,
        starts={name: process.start for name, process in processes.items()},
        peaks={},
        batches={name: process.batch for name, process in processes.items()},
        measured=[Measured(name, n) for n in sets for name in processes],
    )
    longest = 0.0
    for _ in range(1 if given.tiny else given.rounds):
        if time.perf_counter() - begun + longest > BUDGET:
            break
        started = time.perf_counter()
        found.rates.append(matrix_rate())
        for row in found.measured:
            chosen = some(sets[row.candidates], few)
            pairs = sets[row.candidates]
            result = processes[row.name].score(pairs if row.name in OURS else [pairs[i] for i in chosen])
            _note(row, result, found, work)
            if row.name in OURS:
                result["answers"] = [result["answers"][i] for i in chosen]
            _judge(row, result["answers"], truth[row.candidates])
        longest = max(longest, time.perf_counter() - started)
    for process in processes.values():
        process.close()
    given.out.mkdir(parents=True, exist_ok=True)
    write_report(found, given.out)


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
