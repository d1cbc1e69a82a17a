"""What is wrong with a guideline that somebody wrote by hand: all of it at once, in our words, each with its line."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from judge.settings import yaml_lines

_SAID = {
    "missing": "is missing",
    "extra_forbidden": "there is no such key",
    "string_type": "must be text",
    "string_too_short": "is empty",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "greater_than_equal": "must be {ge} or more",
    "too_short": "needs {min_length} or more",
    "tuple_type": "must be a list",
    "model_type": "must be keys with values",
    "literal_error": "must be {expected}",
}
_NAME = "must be of a to z, digits, - and _, and begin with a letter, such as my-name"
_FIELD = "must be of a to z, digits and _, and begin with a letter; --map size=COLUMN reads any column as size"
_LANGUAGE = "must be the code of a language, such as en or pt-BR"


def faults(error: ValidationError, data: Mapping[str, Any], text: str) -> list[str]:
    """One sentence for each thing that is wrong, in the order of the file.

    Args:
        error: What checking said.
        data: What the YAML says.
        text: The YAML.
    """
    order, line_of = _order(data.get("grades")), yaml_lines(text)
    found: list[tuple[int, str]] = []
    errors = error.errors()
    inside = {other["loc"][:1] for other in errors if len(other["loc"]) > 1}
    for one in errors:
        # Parts that are wrong themselves are there all the same.
        if one["type"] == "too_short" and one["loc"] in inside:
            continue
        where = list(one["loc"])
        # Grades are checked in ascending order of their values.
        if len(where) > 1 and where[0] == "grades" and isinstance(where[1], int) and where[1] < len(order):
            where[1] = order[where[1]]
        field = ".".join(map(str, where))
        line = line_of(where)
        prefix = f"line {line}, " + (f"field {field!r}: " if field else "")
        found += [(line, prefix + said) for said in _said(one, where)]
    return [said for _, said in sorted(found, key=lambda item: item[0])]


def _said(one: Any, where: Sequence[int | str]) -> list[str]:
    if one["type"] == "value_error":
        return str(one["ctx"]["error"]).split("\n")
    if one["type"] == "string_pattern_mismatch":
        return [_LANGUAGE if where[-1] == "language" else _FIELD if where[0] == "fields" else _NAME]
    form = _SAID.get(one["type"])
    return [form.format(**one.get("ctx", {})) if form else "cannot be so"]


def _order(grades: Any) -> list[int]:
    """The places in the file of the grades as they are checked."""
    if not isinstance(grades, list):
        return []
    values = [grade.get("value") if isinstance(grade, dict) else None for grade in grades]
    whole = [value for value in values if isinstance(value, int)]
    return sorted(range(len(grades)), key=lambda at: whole[at]) if len(whole) == len(values) else [*range(len(grades))]
