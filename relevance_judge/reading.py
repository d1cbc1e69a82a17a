"""How the columns of a caller's tables are read: the options that functions share."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from judge.errors import InputError

if TYPE_CHECKING:
    from judge.pairs.stage import Source
    from judge.ratings.layout import RatingsLayout
    from judge.words.guideline import Guideline

ColumnMap = Mapping[str, str | Sequence[str]]
"""Our names to the tables' columns, such as `{"candidate_id": "sku"}`; of several, each table uses the first it has."""


class RowOptions(TypedDict, total=False):
    """How a table of pairs is read, and how much of it."""

    limit: int
    """The first rows only."""
    sample: int
    """So many whole queries only."""
    seed: int
    """Which queries those are; 0 unless given."""
    queries: str | os.PathLike[str]
    """A file of `query_id, query`, where pairs name their query by its id alone."""
    encoding: str
    """What the text of files is in, where it is not UTF-8, such as `cp1252`."""


class RatingOptions(TypedDict, total=False):
    """How a table of ratings is read."""

    map: ColumnMap
    """Our names to the table's columns."""
    rating: str
    """The column that holds the grade, where it is not `grade`."""
    grades: Mapping[str, int | None]
    """What the table's grades mean, such as `{"E": 2, "S": 1, "C": 1, "I": 0}`; the guideline's values unless given.
    `{"unrateable": None}` is no answer; means have ranges, such as `{"1..1.67": 0, "1.67..2.33": 1, "2.33..3": 2}`, of
    which each holds its upper end, and the first its lower one too."""
    raters: Sequence[str]
    """The raters' columns of a wide table; or, of one with a column `rater`, the raters to take."""
    gold: str
    """The adjudicated grade: a column, or a rater."""
    queries: str | os.PathLike[str]
    """A file of `query_id, query`, where rows name their query by its id alone."""
    encoding: str
    """What the text of files is in, where it is not UTF-8, such as `cp1252`."""
    skip_bad_rows: bool
    """Count and leave out rows that cannot be used, rather than refuse the table."""


@dataclass(frozen=True)
class Reading:
    """What `RatingOptions` come to."""

    map: ColumnMap = field(default_factory=dict)
    rating: str | None = None
    grades: Mapping[str, int | None] | None = None
    raters: Sequence[str] = ()
    gold: str | None = None
    skip_bad_rows: bool = False
    queries: str | os.PathLike[str] | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.raters, str):
            raise InputError(f"raters={self.raters!r}: is a single string", f"give a list: raters=[{self.raters!r}]")
        if len(set(self.raters)) < len(self.raters):
            raise InputError(f"raters={list(self.raters)}: a name occurs twice", "name each rater once")

    @property
    def mapping(self) -> dict[str, list[str]]:
        """Our names to the table's columns; of the grade's, that of `rating` comes first."""
        given = columns_of(self.map)
        return given | ({"grade": [self.rating, *given.get("grade", ())]} if self.rating else {})

    @property
    def layout(self) -> "RatingsLayout":
        """As the reader of ratings takes it."""
        from judge.ratings.layout import RatingsLayout

        grades = {str(theirs): ours for theirs, ours in (self.grades or {}).items()}
        return RatingsLayout(
            self.mapping,
            grades,
            list(self.raters),
            self.gold,
            self.skip_bad_rows,
            queries=self.queries_path,
            encoding=self.encoding,
        )

    def source(
        self,
        rows: tuple[Path, str],
        catalogue: tuple[Path | None, str | None],
        grades: Mapping[str, int | None] | None = None,
        *,
        need_text: bool = True,
    ) -> "Source":
        """The rows as they are staged; of either file the path, and what messages call it."""
        from judge.pairs.stage import Source

        return Source(
            rows[0],
            catalogue[0],
            self.mapping,
            grades=grades,
            need_text=need_text,
            skip_bad_rows=self.skip_bad_rows,
            name=rows[1],
            catalogue_name=catalogue[1],
            queries=self.queries_path,
            encoding=self.encoding,
        )

    @property
    def queries_path(self) -> Path | None:
        """The file of queries."""
        return None if self.queries is None else Path(self.queries)

    def refuse(self, *names: str, fix: str) -> None:
        """Refuse options that would not be used.

        Raises:
            InputError: One of them was given.
        """
        for name in names:
            if getattr(self, name):
                raise InputError(f"{name}={getattr(self, name)!r}: is not used here", fix)

    def known(self, guideline: "Guideline") -> Mapping[str, int | None]:
        """What the table writes to the guideline's grades.

        Raises:
            InputError: It leads to a grade that the guideline does not have.
        """
        from judge.words.guideline import known_grades

        return known_grades(self.layout.grades or None, guideline)


def columns_of(given: ColumnMap | None) -> dict[str, list[str]]:
    """Our names to lists of columns."""
    return {name: [columns] if isinstance(columns, str) else list(columns) for name, columns in (given or {}).items()}
