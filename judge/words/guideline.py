"""Guidelines: what relevance means, in words that people and the judge both read.

A guideline is a YAML file of `guidelines/`, or any file of the same shape. Nothing here assumes three grades.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from judge.errors import InputError
from judge.fingerprint import digest
from judge.records import NamedGrades, Record
from judge.settings import read_yaml
from judge.words.folders import shipped_names, shipped_text
from judge.words.guideline_faults import faults

DEFAULT = "three-level"

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
Words = Annotated[str, Field(min_length=1)]


def _as_words(version: Any) -> Any:
    return str(version) if isinstance(version, int | float) and not isinstance(version, bool) else version


class CandidateField(Record):
    """One field of a candidate that the judge reads."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    tokens: Annotated[int, Field(ge=1)]
    """Its budget: a longer text is cut here."""
    keep: Literal["start", "end"] = "start"
    """Which part of a longer text is kept; a category path says most at its end."""
    join: str = ", "
    """What stands between the parts when the value is a list."""


class ClauseExample(Record):
    """An illustration of a clause."""

    query: Words
    candidate: Words


class GradeExample(ClauseExample):
    """An illustration of a grade."""

    why: Words


class Grade(Record):
    """One level of relevance."""

    value: Annotated[int, Field(ge=0)]
    name: Words
    definition: Words
    label: str = ""
    """What the judge answers; one token of its vocabulary. The value's digits unless given."""
    examples: tuple[GradeExample, ...] = ()

    @property
    def token(self) -> str:
        """The text of the label token."""
        return self.label or str(self.value)


class Clause(Record):
    """One rule of the policy."""

    id: Name
    rule: Words
    highest: int
    """The best grade that a pair can get once the clause applies."""
    example: ClauseExample | None = None


class Guideline(Record):
    """A versioned policy: fields, grades and clauses. Grades are held in ascending order of value."""

    name: Name
    version: Annotated[str, Field(min_length=1), BeforeValidator(_as_words)]
    """`1` and `1.1` are versions as well as words are."""
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]+)*$")]
    title: Words
    task: Words
    query_tokens: Annotated[int, Field(ge=1)]
    candidate_tokens: Annotated[int, Field(ge=1)]
    """The budget over all candidate fields together, spent in their order."""
    fields: Annotated[tuple[CandidateField, ...], Field(min_length=1)]
    grades: Annotated[tuple[Grade, ...], Field(min_length=2)]
    clauses: tuple[Clause, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _ascending(cls, data: Any) -> Any:
        grades = data.get("grades") if isinstance(data, dict) else None
        if isinstance(grades, list) and all(isinstance(g, dict) and isinstance(g.get("value"), int) for g in grades):
            data = {**data, "grades": sorted(grades, key=lambda grade: int(grade["value"]))}
        return data

    @model_validator(mode="after")
    def _consistent(self) -> "Guideline":
        wrong = []
        for what, names in (
            ("field", [f.name for f in self.fields]),
            ("grade value", [g.value for g in self.grades]),
            ("grade label", [g.token for g in self.grades]),
            ("clause id", [c.id for c in self.clauses]),
        ):
            repeated = sorted({str(n) for n in names if names.count(n) > 1})  # type: ignore[arg-type]
            wrong += [f"{what} {name!r} occurs twice" for name in repeated]
        taken = {"row", "query", "query_id", "candidate_id", "locale", "grade"} & {f.name for f in self.fields}
        wrong += [f"field name {name!r} is reserved" for name in sorted(taken)]
        wrong += [
            f"clause {clause.id!r} has highest {clause.highest}, which is no grade of this guideline"
            for clause in self.clauses
            if clause.highest not in self.values
        ]
        if wrong:
            raise ValueError("\n".join(wrong))
        return self

    @cached_property
    def values(self) -> tuple[int, ...]:
        """The grades' values, ascending."""
        return tuple(grade.value for grade in self.grades)

    @property
    def naming(self) -> str:
        """The field that names a candidate: `title`, or where there is none, the first."""
        names = [field.name for field in self.fields]
        return "title" if "title" in names else names[0]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over everything the guideline says."""
        return digest(self.model_dump(mode="json"))

    @property
    def policy(self) -> dict[str, Any]:
        """What its grades mean; which fields a judge reads, and how much of them, is no part of it."""
        return self.model_dump(mode="json", exclude={"fields", "query_tokens", "candidate_tokens"})

    @property
    def budgets(self) -> dict[str, int]:
        """Token budgets by name, for the fingerprint."""
        return {"query": self.query_tokens, "candidate": self.candidate_tokens} | {
            f.name: f.tokens for f in self.fields
        }


def names() -> list[str]:
    """Names of the guidelines that ship with the package, the default first."""
    return sorted(shipped_names("guidelines", ".yaml"), key=lambda name: name != DEFAULT)


def load_guideline(name: str = DEFAULT) -> Guideline:
    """Open a guideline that ships with the package, by name, or any YAML file, by path.

    Raises:
        InputError: There is no such guideline, or it does not say what a guideline must; names the file and the field.
    """
    where = f"guidelines/{name}.yaml" if name in names() else name
    text = source(name)
    try:
        data = read_yaml(text)
    except yaml.YAMLError as error:
        raise InputError(f"{where}: is not valid YAML: {error}", "fix the file at that line") from None
    if not isinstance(data, dict):
        raise InputError(
            f"{where}: holds no guideline", "start from `judge guideline --source`, which prints the default as YAML"
        )
    try:
        return Guideline.model_validate(data)
    except ValidationError as error:
        found = faults(error, data, text)
        more = f"{len(found)} things are wrong: " if len(found) > 1 else ""
        raise InputError(
            f"{where}, {more}{'; '.join(found)}",
            "`judge guideline --source` prints the default as YAML, to compare with",
        ) from None


def source(name: str = DEFAULT) -> str:
    """The YAML text of a guideline, by name or path."""
    if name in names():
        return shipped_text("guidelines", f"{name}.yaml")
    try:
        return Path(name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{name}: is not UTF-8 text", "save it as UTF-8") from None
    except OSError as error:
        raise InputError(
            f"no guideline {name!r} ({error.strerror})", f"name one of {', '.join(names())}, or a YAML file that exists"
        ) from None


def known_grades(grades: Mapping[str, int | None] | None, guideline: Guideline) -> Mapping[str, int | None]:
    """What a file of ratings writes to the guideline's grades: as the user said, or the values themselves.

    Null stands for no answer. Where the user says of nothing else what it means, the values mean themselves.

    Raises:
        InputError: The user's leads to a grade that the guideline does not have.
    """
    for theirs, ours in (grades or {}).items():
        if ours is not None and ours not in guideline.values:
            known = ", ".join(map(str, guideline.values))
            raise InputError(
                f"--grades {theirs}={ours}: the guideline {guideline.name!r} has no grade {ours}", f"map to {known}"
            )
    themselves = {} if any(ours is not None for ours in (grades or {}).values()) else guideline.values
    read = {**{str(value): value for value in themselves}, **(grades or {})}
    return NamedGrades(read, {grade.name: grade.value for grade in guideline.grades if themselves})
