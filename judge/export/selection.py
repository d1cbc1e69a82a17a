"""What of a run is exported: which rows, in which splits, and which negatives are set against which positives."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from judge.documents import fault, shown
from judge.errors import InputError
from judge.records import Record

TRAIN = "train"
"""The one split where none are asked for."""

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Negatives(Record):
    """Which rows of a query are set against which: always a lower grade against a higher one."""

    count: Count = 4
    """Negatives for each positive: at most so many triplets, exactly so many columns of an n-tuple."""
    mix: Literal["even", "near", "far"] = "even"
    """Which lower grades they come from: each in turn, the next lower first (hard), or the lowest first (easy)."""
    min_confidence: Share = 0.5
    """A pair below this becomes neither a negative nor a positive: at a half it is as likely wrong as right."""
    positives: tuple[int, ...] | None = None
    """Grades that may be positives; null: every grade that has a lower one."""


class Selection(Record):
    """What is exported. Two exports of the same run under the same selection hold the same."""

    min_confidence: Share = 0.0
    """Grades of a lower probability are left out. What people graded or decided is certain."""
    splits: Mapping[str, Annotated[float, Field(gt=0, le=1)]] = {}
    """Shares by split, over queries; they sum to 1. Empty: everything is `train`."""
    products: Literal["apart", "shared"] = "apart"
    """Whether a product, or one nearly the same, may stand on two sides of a split."""
    per_query: Count | None = None
    """At most so many rows of a query, its grades taken in turn."""
    balance: bool = False
    """As many rows of each grade as of the rarest, in each split."""
    flagged: Literal["keep", "leave_out"] = "keep"
    """What becomes of labels that are flagged and undecided. They are never set against others."""
    negatives: Negatives = Negatives()
    hard: Literal["any", "first", "only"] = "any"
    """Hard products (see `judge.export.hard`): as any other, before the others of their grade, or in every record."""
    fields: tuple[str, ...] = ()
    """The candidate's fields that make its text, in this order; empty: all of the guideline's."""
    score: Literal["grade", "expected"] = "grade"
    """What a scored pair's score is: the grade, or the mean over the judge's probabilities; scaled to [0, 1]."""
    pairs: Literal["scored", "labelled"] = "scored"
    """Whether pairs carry a score in [0, 1], or the grade's place among the grades as a class."""

    @model_validator(mode="after")
    def _sums_to_one(self) -> "Selection":
        if self.splits and abs(sum(self.splits.values()) - 1) > 1e-6:
            raise ValueError(f"the splits' shares sum to {sum(self.splits.values()):g}, not 1")
        for name in self.splits:
            if not (name.isidentifier() and name.isascii()):
                raise ValueError(f"{name!r} is not a valid name of a split: letters, digits and _ only")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The splits' names, in the order asked for."""
        return tuple(self.splits) or (TRAIN,)

    def check(self, fields: tuple[str, ...], values: tuple[int, ...]) -> None:
        """Refuse fields and grades that the guideline does not have.

        Raises:
            InputError: It lacks one.
        """
        for name in self.fields:
            if name not in fields:
                raise InputError(
                    f"--fields {name}: the guideline has no such field", f"name some of {', '.join(fields)}"
                )
        for grade in self.negatives.positives or ():
            if grade not in values[1:]:
                known = ", ".join(map(str, values[1:]))
                raise InputError(f"--positives {grade}: no grade with a lower one below it", f"name some of {known}")


def read_splits(text: str | None) -> dict[str, float]:
    """`train=0.8,validation=0.1,test=0.1` as shares by split.

    Raises:
        InputError: It does not say that, or the shares do not sum to 1.
    """
    found: dict[str, float] = {}
    fix = "write it like --splits train=0.8,validation=0.1,test=0.1; the shares sum to 1"
    for item in text.split(",") if text else ():
        name, _, share = (part.strip() for part in item.partition("="))
        try:
            value = float(share)
        except ValueError:
            value = 0.0
        if not (name.isidentifier() and name.isascii()) or not 0 < value <= 1 or name in found:
            raise InputError(f"--splits {text}: {item.strip()!r} is not NAME=SHARE, once each", fix)
        found[name] = value
    if found and abs(sum(found.values()) - 1) > 1e-6:
        raise InputError(f"--splits {text}: the shares sum to {sum(found.values()):g}, not 1", fix)
    return found


def read_selection(
    *, splits: str | None, fields: str | None, negatives: Mapping[str, Any], **options: Any
) -> Selection:
    """A selection out of what a user typed; `splits`, `fields` and the negatives' `positives` as text.

    Raises:
        InputError: A value is none that can be; names the option.
    """
    names = tuple(name.strip() for name in fields.split(",")) if fields else ()
    grades = negatives.get("positives")
    try:
        values = tuple(int(grade) for grade in grades.split(",")) if grades else None
    except ValueError:
        raise InputError(f"--positives {grades}: not grades", "write them like --positives 1,2") from None
    given = {**negatives, "positives": values}
    return make_selection(splits=read_splits(splits), fields=names, negatives=given, **options)


def make_selection(*, negatives: Mapping[str, Any], **options: Any) -> Selection:
    """A selection out of its fields' values.

    Raises:
        InputError: There is no such field, or a value is none that can be; names the option.
    """
    try:
        return Selection(negatives=Negatives(**negatives), **options)
    except ValidationError as error:
        first = error.errors()[0]
        option = ".".join(map(str, first["loc"])).replace("_", "-") or "selection"
        if first["type"] == "value_error":
            raise InputError(f"--{option}: {first['ctx']['error']}", "`judge export --help`") from None
        kind = Negatives if error.title == Negatives.__name__ else Selection
        if kind is Negatives:
            option = {"min-confidence": "negative-confidence", "count": "negatives"}.get(option, option)
        if first["type"] == "extra_forbidden":
            raise InputError(f"--{option}: there is no such option", "`judge export --help`") from None
        rules = kind.model_fields[str(first["loc"][0])].metadata
        bounds = {type(rule).__name__: getattr(rule, type(rule).__name__.lower()) for rule in rules}
        said = f"--{option} {shown(first['input'])}: cannot be"
        if bounds.keys() == {"Ge", "Le"}:
            raise InputError(said, f"give a number from {bounds['Ge']} to {bounds['Le']}") from None
        wanted = fault(error).partition(", wanted is ")[2]
        raise InputError(said, f"give {wanted}" if wanted else "`judge export --help`") from None
