"""What a judge said of a block of pairs, as a table of labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from judge.calibration.calibrate import DECIMALS
from judge.labelling.blending import blend_values
from judge.labelling.config import JudgeConfig
from judge.records import Choice, Failure, Label, Outcome, Pair, Scores, Status
from judge.run.labels import blended_schema, label_schema
from judge.statistics.reliability import likeliest, softmax

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
    cosines: Any = None
    """Of each row, shape (rows,), NaN where there is none; null where they are to be computed."""


def table(judged: ScoredBlock, values: Sequence[int], fingerprint: str, judge_config: JudgeConfig = PLAIN) -> Any:
    """The labels of a block as an Arrow table with the columns of `Label`: the most probable grade; none where several
    are equally probable, or the judge is not sure enough. A grade that came alone stays, without probabilities; where a
    threshold asks for confidence, there is none to hold against it, and the pair is left to people. Where a blend makes
    the probabilities, the columns of `BLENDED` follow.

    Computed column by column: as records, a million labels would take longer than everything else around the judge.
    """
    import numpy as np
    import pyarrow as pa

    items, answers = judged.block.items, judged.answers
    asked = np.array([pair is not None for pair, _ in items], dtype=bool)
    logprobs, masses = _scores(answers, asked, len(values))
    scored = ~np.isnan(logprobs).any(axis=1) & np.isfinite(logprobs.max(axis=1))
    own = softmax(logprobs[scored])
    cosines = None if judged.cosines is None else judged.cosines[scored]
    pairs = [pair for (pair, _), told in zip(items, scored, strict=True) if pair is not None and told]
    features = blend_values(judge_config.calibrating, pairs, own, values, cosines)
    probabilities = np.full(logprobs.shape, np.nan)
    probabilities[scored] = judge_config.probabilities(logprobs[scored], features)
    grades, ties = np.array(values), _ties(probabilities, scored, values)
    best = np.zeros(len(items), dtype=int)
    best[scored] = probabilities[scored].argmax(axis=1)
    graded = scored.copy()
    graded[scored] = np.round(probabilities[scored].max(axis=1), DECIMALS) >= judge_config.least
    graded[list(ties)] = False
    alone = asked.copy()
    alone[asked] = [isinstance(answer, Choice) for answer in answers]
    best[alone] = [answer.place for answer in answers if isinstance(answer, Choice)]
    graded |= alone & (judge_config.least == 0)
    unsure = f"not sure enough: confidence below {judge_config.least:.3f}"
    without = iter(_reason(answer) for answer in answers)
    reasons = [next(without) if pair is not None else row["skip"] for pair, row in items]
    reasons = [ties.get(at, unsure) if known else reasons[at] for at, known in enumerate(scored)]
    ends = [Status.GRADED.value, Status.ABSTAINED.value, Status.FAILED.value]
    status = np.select([graded, scored | alone, asked], ends, Status.SKIPPED.value)
    columns: dict[str, Any] = {
        "row": [row["row"] for _, row in items],
        "query_id": [row["query_id"] for _, row in items],
        "candidate_id": [row["candidate_id"] for _, row in items],
        "status": pa.array(status.tolist()),
        "grade": pa.array(grades[best], mask=~graded, type=pa.int32()),
        "probabilities": _lists(probabilities, scored),
        "expected_grade": pa.array((probabilities * grades).sum(axis=1), mask=~scored),
        "outside_mass": [mass if known else None for mass, known in zip(masses, scored, strict=True)],
        "reason": [None if known else reason for reason, known in zip(reasons, graded, strict=True)],
        "fingerprint": [fingerprint] * len(items),
    }
    found = pa.table(columns, schema=label_schema())
    if features is None or judge_config.calibration is None or judge_config.calibration.blend is None:
        return found
    names = judge_config.calibration.blend.names
    return _with_features(found, scored, own, dict(zip(names, features.T, strict=True)))


def _scores(answers: Sequence[Outcome], asked: Any, grades: int) -> tuple[Any, list[float | None]]:
    """Of each row the log-probabilities, shape (rows, K), NaN where none were told, and the mass outside the labels."""
    import numpy as np

    nothing = Scores((float("nan"),) * grades, None)
    given = [answer if isinstance(answer, Scores) else nothing for answer in answers]
    logprobs = np.full((len(asked), grades), np.nan)
    logprobs[asked] = np.array([score.logprobs for score in given], dtype=float).reshape(-1, grades)
    outside = iter(score.outside_mass for score in given)
    return logprobs, [next(outside) if is_asked else None for is_asked in asked]


def _ties(probabilities: Any, scored: Any, values: Sequence[int]) -> dict[int, str]:
    """The rows of which several grades are the likeliest, and which grades those are, in words."""
    import numpy as np

    top, grades = likeliest(probabilities), np.array(values)
    rows = np.flatnonzero(scored & (top.sum(axis=1) > 1)).tolist()
    return {row: f"a tie: {' and '.join(map(str, grades[top[row]]))} are equally probable" for row in rows}


def _with_features(labels: Any, scored: Any, own: Any, features: Mapping[str, Any]) -> Any:
    """Labels with the columns of `BLENDED`, which are of the scored rows."""
    import numpy as np
    import pyarrow as pa

    for field in blended_schema():
        if pa.types.is_list(field.type):
            spread = np.full((len(labels), own.shape[1]), np.nan)
            spread[scored] = own
            column = _lists(spread, scored)
        else:
            spread = np.full(len(labels), np.nan)
            spread[scored] = features.get(field.name, np.nan)
            column = pa.array(spread, mask=np.isnan(spread))
        labels = labels.append_column(field, column)
    return labels


def _lists(rows: Any, known: Any) -> Any:
    """Rows of shape (N, K) as an Arrow column of lists; null where nothing is known."""
    import pyarrow as pa

    lists = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1]).cast(pa.list_(pa.float64()))
    return pa.compute.if_else(pa.array(known), lists, pa.nulls(len(rows), lists.type))


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
