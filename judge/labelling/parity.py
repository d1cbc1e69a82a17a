"""Whether two engines give the same probabilities: the guideline's own examples, scored by both."""

from collections.abc import Sequence

from judge.engines import Judge, Serving
from judge.engines.kinds import find_engine
from judge.labelling.config import JudgeConfig
from judge.labelling.table import PLAIN
from judge.records import Failure, Outcome, Pair, Record, Scores
from judge.statistics.reliability import likeliest
from judge.words.guideline import ClauseExample, Guideline

BOUNDS = {"float32": 1e-3, "bfloat16": 5e-2}
"""By number type. Two engines in fp32 that do the same arithmetic in another order stay far below theirs. Computing in
bf16 moved probabilities by up to 0.026 (docs/LOG.md), which two engines may do in opposite directions."""


class Parity(Record):
    """What two engines say of the same prompts."""

    engines: tuple[str, str]
    prompts: int
    compared: int
    """Prompts that both scored."""
    failures: tuple[str, ...]
    """Reasons of those that one did not, each once."""
    probability_difference: float
    """The largest difference of a grade's probability, over the grades and calibrated where the judge is, in [0, 1]."""
    outside_difference: float | None
    """The largest difference of the mass outside the labels; null where an engine does not tell it."""
    grades_differ: int
    """Prompts whose most probable grade differs."""
    bound: float
    """The largest difference of a probability that is rounding."""

    @property
    def holds(self) -> bool:
        """Whether everything was compared, and is within the bound."""
        return self.compared == self.prompts and self.probability_difference <= self.bound


def examples(guideline: Guideline) -> list[Pair]:
    """The guideline's examples as pairs; the candidate's text stands in the first field."""
    found: list[ClauseExample] = [example for grade in guideline.grades for example in grade.examples]
    found += [clause.example for clause in guideline.clauses if clause.example]
    field = guideline.fields[0].name
    return [
        Pair(row, f"example-{row}", example.query, f"example-{row}", {field: example.candidate})
        for row, example in enumerate(found, 1)
    ]


def compare(guideline: Guideline, judge_config: JudgeConfig, servings: tuple[Serving, Serving]) -> Parity:
    """Score the guideline's examples with a judge in two engines, one after the other, as labelling would ask it.

    Raises:
        InputError, ModelError, EngineError: As the engines do.
    """
    given: list[Sequence[Outcome]] = []
    for serving in servings:
        judge = Judge(judge_config.model, serving)
        builder = judge.builder(guideline, judge_config.template)
        judge_config.check(judge.model, builder.labels)
        given.append(judge.open().score(builder.build(examples(guideline))))
    names = (servings[0].engine, servings[1].engine)
    return difference(names, given[0], given[1], judge_config, BOUNDS[_dtype(names)])


def _dtype(engines: tuple[str, str]) -> str:
    """What engines of this process compute in; what an endpoint does, only its operator knows."""
    if not any(find_engine(name).adapter for name in engines):
        return "float32"
    from judge.engines.transformers import best_device

    return best_device()[1]


def difference(
    names: tuple[str, str],
    one: Sequence[Outcome],
    two: Sequence[Outcome],
    judge_config: JudgeConfig = PLAIN,
    bound: float = BOUNDS["float32"],
) -> Parity:
    """Compare two engines' answers to the same prompts, by the probabilities that labels would have of them, the judge
    alone: `judge_config` has no blend, which mixes in what is the same on both sides."""
    import numpy as np

    both = [(a, b) for a, b in zip(one, two, strict=True) if isinstance(a, Scores) and isinstance(b, Scores)]
    scores = [np.array([pair[side].logprobs for pair in both], dtype=float) for side in (0, 1)]
    p, q = (judge_config.probabilities(side) if both else np.zeros((0, 1)) for side in scores)
    masses = [(a.outside_mass, b.outside_mass) for a, b in both]
    known = [(a, b) for a, b in masses if a is not None and b is not None]
    return Parity(
        engines=names,
        prompts=len(one),
        compared=len(both),
        failures=tuple(sorted({answer.reason for answer in (*one, *two) if isinstance(answer, Failure)})),
        probability_difference=float(abs(p - q).max()) if both else 1.0,
        outside_difference=max(abs(a - b) for a, b in known) if known else None,
        grades_differ=int((likeliest(p) != likeliest(q)).any(axis=1).sum()),
        bound=bound,
    )
