"""Probes: real pairs changed in ways that must not move the grade, and how often the judge moves it all the same."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from audit.probes.perturbations import PERTURBATIONS, Perturbation, reordered
from judge.engines import Engine, Judge
from judge.labelling.config import JudgeConfig
from judge.labelling.table import PLAIN, Block, ScoredBlock, table
from judge.records import Label, Pair, Status
from judge.run.labels import label_schema
from judge.statistics.intervals import Estimate
from judge.statistics.shares import mean_by_query, share_by_query
from judge.text import candidate_name
from judge.words.guideline import Guideline

WORST = 5
"""Examples kept for a probe."""


@dataclass(frozen=True)
class Flip:
    """A grade that moved."""

    query: str
    candidate_id: str
    title: str
    before: int
    after: int
    shift: float
    """Of the expected grade."""


@dataclass(frozen=True)
class ProbeReport:
    """What one change did."""

    probe: str
    about: str
    n: int
    """Pairs graded both before and after."""
    not_graded: int
    """Pairs that one of the two has no grade for."""
    not_applicable: int
    """Pairs that the change says nothing about, such as a query without a word long enough to misspell."""
    flips: Estimate
    """Share of pairs whose grade moved."""
    rises: Estimate
    """Share of pairs whose grade went up. For keywords and instructions this is what a seller gains."""
    above: Estimate | None
    """Share of pairs whose grade went up, less the share whose grade did so under harmless text of the same length in
    the same place: of pairs graded under both. Null where nobody gains."""
    shift: float | None
    """Mean change of the expected grade."""
    worst: Sequence[Flip]


def probe(
    pairs: Sequence[Pair],
    judge: Judge,
    guideline: Guideline,
    *,
    wanted: Sequence[Perturbation] = PERTURBATIONS,
    judge_config: JudgeConfig = PLAIN,
    progress: Callable[[int], None] = lambda pairs: None,
) -> list[ProbeReport]:
    """Grade the pairs as they are and after each change.

    Args:
        pairs: With texts; pairs of one query together, as `judge.pairs.stage.stage` lays them down.
        judge: Found, not yet loaded.
        guideline: What it is told.
        wanted: The changes.
        judge_config: How the judge is asked, and how its answers are calibrated.
        progress: Called with the number of pairs graded, or passed over, since the last call.

    Raises:
        ModelError: The judge cannot be loaded or asked, or is not the one that was fine-tuned.
    """
    plain = judge.builder(guideline, judge_config.template)
    # As for labelling, and before the weights are loaded.
    judge_config.check(judge.model, plain.labels)
    grade = _Grading(judge.open(), guideline, judge_config, progress).grade
    asked = plain.build(pairs)
    before = grade(pairs, asked)
    found = []
    for each in wanted:
        changed = [each.change(pair, guideline) or pair for pair in pairs]
        builder = judge.builder(reordered(guideline), judge_config.template) if each.reorder else plain
        prompts = builder.build(changed)
        # What the change left as it was, or what its token budget cut off again, tells nothing of the judge.
        kept = [i for i, prompt in enumerate(prompts) if replace(prompt, cut=()) != replace(asked[i], cut=())]
        progress(len(pairs) - len(kept))
        after = grade([changed[i] for i in kept], [prompts[i] for i in kept])
        control: Sequence[Label | None] = [None] * len(kept)
        if each.control:
            harmless = [each.control(pairs[i], guideline) or pairs[i] for i in kept]
            control = grade(harmless, plain.build(harmless))
            progress(len(pairs) - len(kept))
        answers = zip(kept, after, control, strict=True)
        found.append(
            _report(each, [_Answered(pairs[i], before[i], new, under) for i, new, under in answers], len(pairs))
        )
    return found


@dataclass(frozen=True)
class _Grading:
    """A loaded judge, and how its answers become labels."""

    engine: Engine
    guideline: Guideline
    judge_config: JudgeConfig
    progress: Callable[[int], None]

    def grade(self, pairs: Sequence[Pair], prompts: Sequence[Any]) -> list[Label]:
        """The labels of pairs, block by block."""
        labels: list[Label] = []
        block = self.engine.block
        for start in range(0, len(pairs), block):
            answers = self.engine.score(prompts[start : start + block])
            asked = pairs[start : start + block]
            rows = [{"row": p.row, "query_id": p.query_id, "candidate_id": p.candidate_id, "skip": None} for p in asked]
            judged = ScoredBlock(Block(list(zip(asked, rows, strict=True)), []), answers)
            given = table(judged, self.guideline.values, "probe", self.judge_config).select(label_schema().names)
            labels += [Label(**row) for row in given.to_pylist()]
            self.progress(len(asked))
        return labels


@dataclass(frozen=True, slots=True)
class _Answered:
    """One pair before a change, after it, and under its control where it has one."""

    pair: Pair
    before: Label
    after: Label
    control: Label | None

    @property
    def is_graded(self) -> bool:
        """Whether it has a grade both before and after."""
        return self.before.status is Status.GRADED and self.after.status is Status.GRADED


def _report(each: Perturbation, answered: Sequence[_Answered], asked: int) -> ProbeReport:
    rows = [(one.pair, one.before, one.after) for one in answered if one.is_graded]
    moves = np.array([_grade(new) - _grade(old) for _, old, new in rows], dtype=np.int64)
    shifts = [_expected(new) - _expected(old) for _, old, new in rows]
    queries = [pair.query_id for pair, *_ in rows]
    flips = [
        Flip(pair.query, pair.candidate_id, candidate_name(pair.candidate), _grade(old), _grade(new), shift)
        for (pair, old, new), shift in zip(rows, shifts, strict=True)
        if _grade(old) != _grade(new)
    ]
    order = sorted(
        flips, key=lambda f: (-(f.after - f.before if each.raises else abs(f.after - f.before)), -abs(f.shift))
    )
    return ProbeReport(
        probe=each.name,
        about=each.about,
        n=len(rows),
        not_graded=len(answered) - len(rows),
        not_applicable=asked - len(answered),
        flips=share_by_query(queries, moves != 0),
        rises=share_by_query(queries, moves > 0),
        above=_above(answered) if each.control else None,
        shift=float(np.mean(shifts)) if shifts else None,
        worst=order[:WORST],
    )


def _above(answered: Sequence[_Answered]) -> Estimate:
    """How much more often the grade rose than under the control."""
    rows = [
        (one.pair.query_id, (_grade(one.after) > _grade(one.before)) - (_grade(one.control) > _grade(one.before)))
        for one in answered
        if one.is_graded and one.control is not None and one.control.status is Status.GRADED
    ]
    return mean_by_query([query for query, _ in rows], [float(more) for _, more in rows])


def _grade(label: Label) -> int:
    assert label.grade is not None
    return label.grade


def _expected(label: Label) -> float:
    # Of a grade that came alone, the grade is all that is expected.
    return _grade(label) if label.expected_grade is None else label.expected_grade


def sample(pairs: Sequence[Pair], most: int) -> list[Pair]:
    """At most `most` pairs, spread over the queries: every query gives its first pairs, then its second, and so on."""
    groups = [list(group) for _, group in groupby(pairs, key=lambda pair: pair.query_id)]
    kept = {id(pair) for pair in list(_in_turn(groups))[:most]}
    return [pair for pair in pairs if id(pair) in kept]


def _in_turn(groups: Sequence[Sequence[Pair]]) -> Iterator[Pair]:
    for place in range(max(map(len, groups), default=0)):
        yield from (group[place] for group in groups if place < len(group))
