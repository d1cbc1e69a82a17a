"""Our engines compared with the usual alternatives: same pairs, checkpoint and cores, interleaved in one run.

    make bench          everything, in about 25 minutes, on an otherwise idle machine
    python -m benchmarks.serving --tiny --out FOLDER      a minute: to see that it runs

Writes docs/benchmarks.md (the table), docs/benchmarks.svg (the chart) and docs/benchmarks.json (every measurement), and
the README's table between its marks; anew after every round, so that a run that is cut off leaves what it found. A
contestant that breaks is named in the page, and the others go on.

A contestant is as many processes as there are cores, each pinned to one and of one thread, which is how a machine is
kept busy: threads of one process wait for each other. They start for each turn, so that memory holds one contestant.
"""

import argparse
import csv
import platform
import random
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.contestants import CONTESTANTS, GUIDELINE, MODEL, SHARING, cores
from benchmarks.limit import Size, matrix_rate, size_of, work_of
from benchmarks.report import Found, Measured, write_readme, write_report
from benchmarks.team import Team
from judge.engines import Judge
from judge.records import Pair
from judge.words.guideline import load_guideline
from judge.words.prompt import PromptBuilder

SHOP = Path("examples/shop")
PAIRS = {1: 24, 20: 40, 100: 100}
"""Candidates a query: pairs that each process scores in a round, whole queries where there are enough."""
FEW = 8
"""Rivals compute every prompt whole, so their speed does not depend on the company: a few of the same pairs do."""
SLOW = {"llama.cpp": 20}
"""Pairs of what shares, and takes too long for all."""
BATCHES = (1, 4, 8)
BUDGET = 1800.0
"""No round begins that would end after so many seconds."""


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


def shares_of(pairs: list[Pair], count: int) -> list[list[Pair]]:
    """So many pairs for each process: all of them, or some from all over each share."""
    size = len(pairs) // cores()
    shares = [pairs[start : start + size] for start in range(0, size * cores(), size)]
    return [[share[size * i // count] for i in range(count)] if count < size else share for share in shares]


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
    # A query's pairs stay in one process.
    sets = {
        n: draw(n, (4 if given.tiny else count) * cores()) for n, count in PAIRS.items() if not given.tiny or n == 20
    }
    few = 2 if given.tiny else FEW
    builder = PromptBuilder(load_guideline(GUIDELINE), Judge(MODEL).tokenizer)
    works = {n: work_of(builder.build(pairs)) for n, pairs in sets.items()}
    size = size_of(Judge(MODEL).model.directory)
    reference = Team("reference")
    truth = {n: reference.score(shares_of(pairs, few))["answers"] for n, pairs in sets.items()}
    reference.close()
    found = Found(
        machine=_machine(),
        cores=cores(),
        rates=[],
        ordered_rates=[],
        guideline=next(iter(works.values())).guideline,
        tokens={n: work.tokens for n, work in works.items()},
        attention={n: work.attention_share(size) for n, work in works.items()},
        starts={},
        peaks={},
        batches={},
        measured=[Measured(name, n) for n in sets for name in given.only],
    )
    longest = 0.0
    for _ in range(1 if given.tiny else given.rounds):
        if found.rates and time.perf_counter() - begun + longest > BUDGET:
            break
        started = time.perf_counter()
        play(found, sets, truth, size, few)
        longest = max(longest, time.perf_counter() - started)
        given.out.mkdir(parents=True, exist_ok=True)
        write_report(found, given.out)
        if given.readme:
            write_readme(found, given.readme)
        print(f"round {len(found.rates)}: {time.perf_counter() - started:.0f} s", file=sys.stderr)


def play(found: Found, sets: dict[int, list[Pair]], truth: dict[int, list[list[float]]], size: Size, few: int) -> None:
    """One round: every contestant in turn, at every number of candidates."""
    plain, ordered = matrix_rate()
    found.rates.append(plain)
    found.ordered_rates.append(ordered)
    for name in dict.fromkeys(row.name for row in found.measured):
        if name in found.broken:
            continue
        begun = time.perf_counter()
        try:
            team = begin(name, sets, found, few)
        except (RuntimeError, OSError) as error:
            found.broken[name] = str(error)
            continue
        try:
            for row in found.measured:
                if row.name == name:
                    turn(row, team, sets[row.candidates], truth[row.candidates], found, size)
        except (RuntimeError, OSError) as error:
            found.broken[name] = str(error)
        team.close()
        print(f"{name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    # A contestant that broke before it was measured everywhere is named, and has no row.
    found.measured = [row for row in found.measured if row.speeds or row.name not in found.broken]


def begin(name: str, sets: dict[int, list[Pair]], found: Found, few: int) -> Team:
    """A contestant that has started, warm, with the batch that suits it."""
    team, sample = Team(name, found.batches.get(name)), shares_of(next(iter(sets.values())), few)
    try:
        if name in SHARING:
            team.score(sample)  # the guideline's pass, and whatever else comes once
            found.batches[name] = None
        elif name not in found.batches:
            team.find_batch(sample, tuple(size for size in BATCHES if size <= few))
            found.batches[name] = team.batch
    except (RuntimeError, OSError):
        team.close()
        raise
    found.starts.setdefault(name, team.start)
    return team


def turn(row: Measured, team: Team, pairs: list[Pair], truth: list[list[float]], found: Found, size: Size) -> None:
    """Measure a contestant at one number of candidates."""
    few = len(truth) // found.cores
    asked = shares_of(pairs, few)
    given = asked
    if row.name in SHARING:
        most = SLOW.get(row.name, len(pairs))
        given = [share[:most] for share in shares_of(pairs, len(pairs))]
    result = team.score(given)
    speed = result["pairs"] / result["seconds"]
    row.speeds.append(speed)
    row.walls.append(result["pairs"] / result["wall"])
    best = max(found.rates[-1], found.ordered_rates[-1])
    row.shares.append(speed * found.tokens[row.candidates] * 2 * size.parameters / (best * 1e9))
    found.peaks[row.name] = max(found.peaks.get(row.name, 0.0), result["peak_mib"])
    said = dict(zip((pair.row for share in given for pair in share), result["answers"], strict=False))
    chosen = [pair.row for share in asked for pair in share]
    _judge(row, [(said[at], expected) for at, expected in zip(chosen, truth, strict=True) if at in said])


def _judge(row: Measured, answers: list[tuple[Any, list[float]]]) -> None:
    for said, expected in answers:
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
