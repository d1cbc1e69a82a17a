"""How many ratings does a judge need? Methods fitted on 100 to 8,000 rated pairs of Home Depot, on unseen queries.

    python -m benchmarks.learning_curve ../shared/data OUT            # hours; killed, it resumes
    python -m benchmarks.learning_curve ../shared/data OUT --sizes 0,8000   # some numbers of pairs alone
    python -m benchmarks.learning_curve ../shared/data OUT --figure   # what is there so far, into docs/
    python -m benchmarks.learning_curve ../shared/data OUT --parts 2,3,4   # some parts' table alone, printed

Tested are one pair of each of 1,500 queries and four of each of 250 more, titles alone, in five parts. Training pairs
are of the other queries, whole queries in an order drawn by the seed: the first 100 of 2,000 are the 100 of that seed.
No spelling of a query is on both sides; products can be. Each step's answers are kept in OUT as JSON Lines, a row a
pair: the grade, null for a score without cut points, and the score. Model files stay in OUT, and nothing that is fitted
here enters the package.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.curve_answers import NAMES, Asked
from benchmarks.curve_methods import BLEND, METHODS
from benchmarks.home_depot import read, write
from judge.calibration.features import Reading
from judge.files import write_whole
from judge.words.similar import query_groups

SIZES = {100: 3, 500: 3, 2000: 3, 8000: 1}
"""Pairs to learn from, and how many seeds."""
FINE_TUNED = ("fine-tuned, calibrated", "fine-tuned, blend fitted")
PARTS = 5
"""Of the test."""
SINGLE, FOURS = 300, 50
"""A part's queries with one pair, and with four."""


@dataclass(frozen=True)
class Step:
    """One method's answers to one part of the test."""

    method: str
    size: int
    seed: int
    part: int

    def path(self, out: Path) -> Path:
        """The file that keeps them."""
        return out / "answers" / f"{self.method.replace(' ', '-')}-{self.size}-{self.seed}-{self.part}.jsonl"


def deal(data: Path, out: Path) -> None:
    """Write the parts of the test, and each seed's training pairs; all or nothing."""
    by_query = read(data)
    names = sorted(by_query)
    group = dict(zip(names, query_groups(names), strict=True))
    rng = np.random.default_rng(2026)
    names = [names[at] for at in rng.permutation(len(names))]
    # Of the spellings of a query the first one drawn.
    firsts = list({group[name]: name for name in reversed(names)}.values())[::-1]
    fours = [name for name in firsts if len(by_query[name]) >= 4][: PARTS * FOURS]
    single = [name for name in firsts if name not in {*fours}][: PARTS * SINGLE]
    for part in range(PARTS):
        rows = []
        for count, drawn in ((1, single[part::PARTS]), (4, fours[part::PARTS])):
            for name in drawn:
                rows += [by_query[name][at] for at in rng.permutation(len(by_query[name]))[:count]]
        write(out / f"test-{part}.jsonl", rows)
    asked = {group[name] for name in (*single, *fours)}
    rest = [name for name in names if group[name] not in asked]
    for seed in range(max(SIZES.values())):
        order = np.random.default_rng([2026, seed]).permutation(len(rest))
        pairs = [pair for at in order for pair in by_query[rest[at]]]
        write(out / f"train-{seed}.jsonl", pairs[: max(size for size, seeds in SIZES.items() if seed < seeds)])
    write_whole(out / "dealt", b"")


def steps() -> Iterator[Step]:
    """All of them in their order: what is cheap, the judge as it is, and what takes hours."""
    parts = range(PARTS)
    sized = [(size, seed) for size, seeds in SIZES.items() for seed in range(seeds)]
    yield from (Step(method, 0, 0, part) for method in ("cosine", "cosine and overlap") for part in parts)
    for method in ("cosine", "boosting", "boosting with cosine"):
        yield from (Step(method, size, seed, part) for size, seed in sized for part in parts)
    yield from (Step("boosting with cosine, cut points", *each, part) for each in sized for part in parts)
    judged = [("judge", 0, 0), ("judge, shipped blend", 0, 0)]
    judged += [("judge, blend fitted", size, seed) for size, seed in sized if size <= BLEND]
    yield from (Step(*each, part) for each in judged for part in parts)
    for each in sorted(sized, key=lambda each: (each[0] == max(SIZES), each[1], each[0])):
        yield from (Step(method, *each, part) for part in parts for method in FINE_TUNED)


def take(step: Step, out: Path) -> None:
    """Take a step whose answers are not there yet."""
    path = step.path(out)
    if path.is_file():
        return
    grades, scores = METHODS[step.method](Asked(out, step.size, step.seed, step.part))
    told = zip(grades if grades is not None else [None] * len(scores), scores.tolist(), strict=True)
    path.parent.mkdir(exist_ok=True)
    write_whole(path, "".join(json.dumps({"grade": g, "score": s}) + "\n" for g, s in told).encode())
    print(path.name, flush=True)


def check_rule(out: Path) -> None:
    """Refuse a folder whose features were read by another rule: its answers and new ones would be mixed."""
    kept, rule = out / "rule", f"{Reading(NAMES)}\n"
    if not kept.is_file():
        out.mkdir(parents=True, exist_ok=True)
        kept.write_text(rule)
    if (before := kept.read_text()) != rule:
        raise SystemExit(f"{out}: read by the rule {before.strip()}, not {rule.strip()}; name another folder")


def main() -> None:
    """Take all steps, or show what is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder that holds homedepot/")
    parser.add_argument("out", type=Path)
    parser.add_argument("--figure", action="store_true", help="write table and figure into docs/, and train nothing")
    parser.add_argument("--parts", metavar="N,N", help="print the table of these parts of the test, and train nothing")
    parser.add_argument("--sizes", metavar="N,N", help="take the steps with these numbers of pairs alone")
    given = parser.parse_args()
    out = given.out.resolve()
    sizes = {int(size) for size in (given.sizes or "").split(",") if size}
    check_rule(out)
    if not (out / "dealt").is_file():
        deal(given.data, out)
    done = [step for step in steps() if step.path(out).is_file()]
    if given.figure or given.parts:
        from benchmarks.curve_report import Answers, tables, write_report

        some = {int(part) for part in (given.parts or "").split(",") if part}
        if some:
            print("\n".join(tables(Answers(out, [step for step in done if step.part in some]))))
        else:
            write_report(out, done)
        return
    for step in steps():
        if not sizes or step.size in sizes:
            take(step, out)


if __name__ == "__main__":
    main()
