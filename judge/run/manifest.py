"""What a run directory says of itself: who made its labels, from what, and what it took."""

import math
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from judge.documents import fault
from judge.records import Record, Status, WorkedExample
from judge.words.forms import NORMALISATION
from judge.words.guideline import Guideline


class Manifest(Record):
    """What `run.json` holds. It may come from somebody else: what verbs rely on is checked when it is read."""

    format: int = 1
    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    parts: Mapping[str, str | None]
    """The parts of the fingerprint, by name."""
    inputs: Mapping[str, str | int | None]
    """The input files' SHA-256 digests, and what limits or maps them: a resumed run must have the same."""
    files: Mapping[str, str]
    """The input files as the user named them."""
    guideline: Mapping[str, Any]
    """The whole guideline, so that grades keep their meaning wherever the labels go."""
    normalisation: Annotated[int, Field(ge=1, le=NORMALISATION)] = 1
    """The version of the rule for the words of a text, `judge.words.forms.NORMALISATION`: splits are made and events
    are matched by it."""
    calibration: Mapping[str, Any] | None = None
    """The temperature and biases that the probabilities went through, or the `blend` that made them; null where they
    are as they came."""
    missing_fields: tuple[str, ...] = ()
    """Fields of the guideline that no input file has a column for."""
    passed_over: Mapping[str, str] = {}
    """Names that an input file has several mapped columns for, and which of them was read."""
    examples: tuple[WorkedExample, ...] = ()
    """Rated pairs that the judge was shown before each question."""
    members: tuple[Mapping[str, str | None], ...] = ()
    """Of an ensemble, the parts of each member's fingerprint."""
    rows: int
    """Input rows."""
    created: str
    """ISO 8601, UTC."""
    finished: str | None = None
    """When the last row got its label; null until then."""
    counts: Mapping[Status, int] | None = None
    """Rows by status, once finished."""
    judged: int | None = None
    """Pairs that the engine was asked about, once finished."""
    judge_seconds: float | None = None
    """Time spent judging, all sittings together, once finished."""

    usage: Mapping[str, int | float | None] | None = None
    """Requests, tokens and, where a price was given, the cost of a paid endpoint's answers, once finished."""

    @field_validator("guideline")
    @classmethod
    def _is_one(cls, words: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            Guideline.model_validate(words)
        except ValidationError as error:
            raise ValueError(fault(error)) from None
        return words

    @field_validator("calibration")
    @classmethod
    def _has_numbers(cls, numbers: Mapping[str, Any] | None, told: ValidationInfo) -> Mapping[str, Any] | None:
        if numbers is not None:
            bias, grades = numbers.get("bias"), told.data.get("guideline", {}).get("grades", ())
            found = [numbers.get("temperature"), *(bias if isinstance(bias, list | tuple) else [None])]
            if not all(isinstance(number, int | float) and math.isfinite(number) for number in found) or found[0] <= 0:
                raise ValueError("wants a temperature above 0 and a bias for each grade")
            if len(found) != 1 + len(grades) or not isinstance(numbers.get("blend") or {}, Mapping):
                raise ValueError("wants a bias for each grade, and a blend that is one")
        return numbers

    @property
    def policy(self) -> Guideline:
        """The guideline that the labels were made by."""
        return Guideline.model_validate(self.guideline)

    @property
    def values(self) -> tuple[int, ...]:
        """The grades' values, ascending."""
        return tuple(sorted(int(grade["value"]) for grade in self.guideline["grades"]))

    @property
    def by_people(self) -> bool:
        """Whether people gave the grades: they were imported."""
        return self.parts.get("judge") == "imported" and not self.parts.get("endpoint")

    @property
    def calibrated(self) -> bool:
        """Whether the probabilities went through a calibration that changes anything."""
        numbers = self.calibration or {"temperature": None}
        changes = numbers["temperature"] != 1 or any(numbers["bias"]) or numbers.get("blend")
        return bool(self.parts.get("calibration") and changes)

    @property
    def fine_tuned(self) -> bool:
        """Whether an adapter graded, or was one of those that did; merged ones are not told from other models."""
        makers = (self.parts, *self.members)
        return any(parts.get(name) for parts in makers for name in ("adapter", "declared_adapter"))

    @property
    def judge(self) -> str:
        """Who judged, for people: not where it lies, and not as its base alone where it was fine-tuned."""
        name, adapter = self.parts.get("judge") or "unknown", self.parts.get("adapter")
        declared = self.parts.get("declared_adapter")
        here = not self.parts.get("endpoint")
        if here and (re.match(r"[/~.]|[A-Za-z]:\\", name) or ("/" in name and not self.parts.get("revision"))):
            name = PurePath(name).name
        if declared:
            return f"{name}, served (as adapter {declared[:8]}, which only the endpoint knows)"
        return f"{name}, fine-tuned (adapter {adapter[:8]})" if adapter else name


class Tally(Record):
    """What labelling some rows took. It travels in their part, so that a kill loses none of it."""

    judged: int = 0
    """Pairs that the engine was asked about."""
    seconds: float = 0.0
    cut: Mapping[str, int] = {}
    """Judged pairs in which a text was cut to its token budget, by the text's name."""

    def __add__(self, other: "Tally") -> "Tally":
        cut = {name: self.cut.get(name, 0) + other.cut.get(name, 0) for name in {**self.cut, **other.cut}}
        return Tally(judged=self.judged + other.judged, seconds=self.seconds + other.seconds, cut=cut)
