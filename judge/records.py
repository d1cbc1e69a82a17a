"""The vocabulary: what flows from one verb to the next. Imports nothing of ours."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, model_validator


class Record(BaseModel):
    """A frozen record that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Status(StrEnum):
    """How an input row ended. Every row ends in exactly one of these."""

    GRADED = "graded"
    """A grade was given."""
    ABSTAINED = "abstained"
    """The judge was asked, and was not sure enough to grade."""
    FAILED = "failed"
    """The judge was asked, and no usable answer came."""
    SKIPPED = "skipped"
    """The judge was not asked; the reason says why."""


def counted(count: int, noun: str) -> str:
    """A count with what is counted: `1 query`, `2,000 queries`, `3 pairs`, `2 stretches`."""
    many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else many}"


class NamedGrades(dict[str, int | None]):
    """What a file writes to the guideline's grades, where the user does not say: their values, or their names.

    Args:
        values: Each value as it is written.
        names: The guideline's names of its grades.
    """

    def __init__(self, values: Mapping[str, int | None], names: Mapping[str, int]) -> None:
        super().__init__(values)
        self.names = {name.casefold(): str(value) for name, value in names.items()}
        """A grade's name in small letters, to the value as it is written."""


def query_key(query: str) -> str:
    """The `query_id` of a query that came without one: 16 hex digits of SHA-256 over its text, outer space ignored."""
    return hashlib.sha256(query.strip().encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Label(Record):
    """What was said of one input row."""

    row: int
    """The input row it answers, counted from 1."""
    query_id: str | None
    candidate_id: str | None
    """Both identify the pair; null only where the input row could not be read."""
    status: Status
    grade: int | None = None
    """A grade of the guideline. Null unless the status is `graded`; never 0 for want of an answer."""
    probabilities: tuple[float, ...] | None = None
    """One for each grade, in the guideline's ascending grade order. Null where nothing was scored, and where the grade
    came alone: from people, and from endpoints that tell no probabilities."""
    expected_grade: float | None = None
    """The mean of the grades under `probabilities`; null without them: then the grade is all that is known."""
    outside_mass: float | None = None
    """Probability that the judge put on tokens that are no label: near 1 means that the prompt went wrong."""
    reason: str | None = None
    """Why there is no grade. Null when there is one."""
    fingerprint: str
    """What made this label; see `judge.fingerprint`."""

    @model_validator(mode="after")
    def _grade_follows_status(self) -> "Label":
        if (self.grade is not None) != (self.status is Status.GRADED):
            raise ValueError(f"a label of status {self.status} has grade {self.grade}")
        if (self.reason is None) != (self.status is Status.GRADED):
            raise ValueError(f"a label of status {self.status} has reason {self.reason!r}")
        return self


class Flag(Record):
    """A label that the evidence contradicts in one way, with the evidence. What an audit cannot tell is null."""

    row: int
    """The input row of the label, counted from 1."""
    query_id: str
    query: str
    candidate_id: str
    grade: int
    """The label's."""
    posterior: tuple[float, ...] | None = None
    """One chance for each grade, in ascending grade order: label and evidence together."""
    p_wrong: float
    """The chance that the label is wrong."""
    impressions: int
    examined_impressions: float
    """Impressions weighed by the chance that they were looked at."""
    unused_impressions: int | None = None
    """Impressions at positions whose examination is not known."""
    clicks: int
    examined_clicks: float | None = None
    """Clicks less those that trust in the position explains; of `clicks`, those that were weighed."""
    expected_clicks: float | None = None
    """Clicks that pairs of the label's grade would get."""
    carts: int
    purchases: int
    expected_low: int | None = None
    """From here to `expected_high`, 90% of pairs of the label's grade lie."""
    expected_high: int | None = None
    live_examined: float | None = None
    """Examined impressions in searches where something was clicked."""
    people_grade: int | None = None
    type: str
    """One of `judge.run.flag_types`."""
    strength: float
    """Log10 odds that the label is wrong in the direction of the flag."""
    q_value: float
    """The share of false flags that the model expects among those of the type that are as strong."""
    suggested_grade: int
    suggested_action: str
    candidate: Mapping[str, str]
    """Field name to text."""

    @property
    def pair(self) -> tuple[str, str]:
        """(query_id, candidate_id)."""
        return self.query_id, self.candidate_id


class WorkedExample(Record):
    """A rated pair that a judge is shown, with people's grade, before it is asked."""

    query: str
    locale: str | None = None
    candidate: Mapping[str, str]
    """Field name to text."""
    grade: int


# The records below never leave the process and are made once per pair in the hot path, so they are plain dataclasses:
# pydantic would copy and check thousands of token ids a pair.


@dataclass(frozen=True, slots=True)
class Pair:
    """One query and one candidate. `(query_id, candidate_id)` is its identity."""

    row: int
    """The input row it came from, counted from 1 (a header does not count)."""
    query_id: str
    query: str
    candidate_id: str
    candidate: Mapping[str, str]
    """Field name to text, in the guideline's field order; absent fields are left out."""
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class Rating:
    """One person's grade of a pair."""

    query_id: str
    query: str
    candidate_id: str
    rater: str
    grade: int
    clause: str | None = None
    """The guideline's clause that they invoked."""
    time: float | None = None
    """When it was given, in seconds since 1970."""
    mean: float | None = None
    """What was given, on the guideline's scale, where it is a mean such as 2.33 and `grade` follows from cut points."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids of one question to the judge, in three segments that were tokenised apart."""

    shared: tuple[int, ...]
    """The guideline: the same object for all prompts of a run."""
    query: tuple[int, ...]
    """The same for all candidates of a query."""
    candidate: tuple[int, ...]
    """The candidate and everything after it, up to the position where the label comes."""
    labels: tuple[int, ...]
    """The label token of each grade, in grade order."""
    cut: tuple[str, ...] = ()
    """Names of the parts that were cut to their token budget (`query`, or a candidate field)."""

    @property
    def ids(self) -> list[int]:
        """The whole prompt, as an engine without segments sees it."""
        return [*self.shared, *self.query, *self.candidate]


@dataclass(frozen=True, slots=True)
class Scores:
    """What the judge said at the label position."""

    logprobs: tuple[float, ...]
    """Natural log-probability of each grade's label token, over the whole vocabulary, in grade order."""
    outside_mass: float | None
    """Probability of everything that is no label, in [0, 1]; null where the engine's path does not tell it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A judge's grade alone: it told no probabilities, and none are made up for it."""

    place: int
    """The grade's place among the guideline's grades, ascending, from 0."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An engine's answer for a pair that it could not score."""

    reason: str


Outcome = Scores | Choice | Failure
"""What an engine says of one pair."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one place of an input file."""

    kind: str
    """A short stable name, such as `empty_query`."""
    file: str
    message: str
    """What is wrong, without the place."""
    fix: str
    row: int | None = None
    line: int | None = None
    field: str | None = field(default=None)

    def __str__(self) -> str:
        line = "" if self.line is None else f" (line {self.line})"
        row = [] if self.row is None else [f"row {self.row}{line}"]
        column = [] if self.field is None else [f"field {self.field!r}"]
        return f"{', '.join([self.file, *row, *column])}: {self.message}"
