"""What a judge said of a block of pairs, as a table of labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from judge.labelling.config import JudgeConfig
from judge.records import Choice, Failure, Label, Outcome, Pair, Scores, Status
from judge.run.labels import label_schema
from judge.statistics.reliability import likeliest

NOT_FINITE = "the judge gave no finite score"
UNKNOWN = "not sure enough: the judge told no confidence"
PLAIN = JudgeConfig()
"""Answers are taken as they arrive."""

Item = tuple[Pair | None, dict[str, Any]]
"""A pair to judge (null where its row is skipped), and the row's other columns."""


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring rows, and the prompts of those that are judged."""

    items: list[Item]
    prompts: Sequence[Any]
    start: int = 0
    """The first row's position in judging order."""
    inherited: Any = None
    """Labels that some of the rows have from an earlier run; those are not asked about."""


@dataclass(frozen=True, slots=True)
class ScoredBlock:
    """A block with an answer for each prompt."""

    block: Block
    answers: Sequence[Outcome]


def table(judged: ScoredBlock, values: Sequence[int], fingerprint: str, judge_config: JudgeConfig = PLAIN) -> Any:
    """The labels of a block as an Arrow table with the columns of `Label`: the most probable grade; none where several
    are equally probable, or the judge is not sure enough. A grade that came alone stays, without probabilities; where a
    threshold asks for confidence, there is none to hold against it, and the pair is left to people.

    Computed column by column: as records, a million labels would take longer than everything else around the judge.
    """
    import numpy as np
    import pyarrow as pa

    items, answers = judged.block.items, judged.answers
    asked = np.array([pair is not None for pair, _ in items], dtype=bool)
    nothing = Scores((float("nan"),) * len(values), None)
    given = [answer if isinstance(answer, Scores) else nothing for answer in answers]
    logprobs = np.full((len(items), len(values)), np.nan)
    logprobs[asked] = np.array([score.logprobs for score in given], dtype=float).reshape(-1, len(values))
    scored = ~np.isnan(logprobs).any(axis=1) & np.isfinite(logprobs.max(axis=1))
    probabilities = np.full(logprobs.shape, np.nan)
    probabilities[scored] = judge_config.probabilities(logprobs[scored])
    best = np.zeros(len(items), dtype=int)
    best[scored] = probabilities[scored].argmax(axis=1)
    top = likeliest(probabilities)
    tied = scored & (top.sum(axis=1) > 1)
    graded = scored & ~tied
    graded[scored] &= probabilities[scored].max(axis=1) >= judge_config.least
    alone = asked.copy()
    alone[asked] = [isinstance(answer, Choice) for answer in answers]
    best[alone] = [answer.place for answer in answers if isinstance(answer, Choice)]
    graded |= alone & (judge_config.least == 0)
    unsure = f"not sure enough: confidence below {judge_config.least:.3f}"
    grades = np.array(values)
    outside = iter(score.outside_mass for score in given)
    masses = [next(outside) if is_asked else None for is_asked in asked]
    without = iter(_reason(answer) for answer in answers)
    reasons = [next(without) if pair is not None else row["skip"] for pair, row in items]
    reasons = [unsure if known else reason for reason, known in zip(reasons, scored, strict=True)]
    for row in np.flatnonzero(tied):
        reasons[row] = f"a tie: {' and '.join(map(str, grades[top[row]]))} are equally probable"
    ends = [Status.GRADED.value, Status.ABSTAINED.value, Status.FAILED.value]
    status = np.select([graded, scored | alone, asked], ends, Status.SKIPPED.value)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(probabilities.ravel()), len(values)).cast(pa.list_(pa.float64()))
    columns: dict[str, Any] = {
        "row": [row["row"] for _, row in items],
        "query_id": [row["query_id"] for _, row in items],
        "candidate_id": [row["candidate_id"] for _, row in items],
        "status": pa.array(status.tolist()),
        "grade": pa.array(grades[best], mask=~graded, type=pa.int32()),
        "probabilities": pa.compute.if_else(pa.array(scored), lists, pa.nulls(len(items), lists.type)),
        "expected_grade": pa.array((probabilities * grades).sum(axis=1), mask=~scored),
        "outside_mass": [mass if known else None for mass, known in zip(masses, scored, strict=True)],
        "reason": [None if known else reason for reason, known in zip(reasons, graded, strict=True)],
        "fingerprint": [fingerprint] * len(items),
    }
    return pa.table(columns, schema=label_schema())


def _reason(answer: Outcome) -> str:
    """Why there is no grade, if there is none."""
    if isinstance(answer, Failure):
        return answer.reason
    return UNKNOWN if isinstance(answer, Choice) else NOT_FINITE


def skipped(row: Mapping[str, Any], fingerprint: str) -> Label:
    """The label of a row that is not judged."""
    return Label(
        row=row["row"],
        query_id=row["query_id"],
        candidate_id=row["candidate_id"],
        status=Status.SKIPPED,
        reason=row["skip"],
        fingerprint=fingerprint,
    )
