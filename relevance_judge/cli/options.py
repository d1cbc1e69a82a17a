"""What verbs share: how files of pairs and ratings are read, and what is printed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
from click import Option

from judge.errors import InputError
from judge.words import guideline as guidelines
from relevance_judge.cli.params import FILE, file, flag, read_grades, read_map, read_raters, text

if TYPE_CHECKING:
    from judge.pairs.stage import Source
    from judge.ratings.layout import RatingsLayout

ratings_argument = click.argument(
    "ratings",
    metavar="RATINGS",
    type=FILE,
    help="A row a grade (with `rater`), or a row a pair; `-` is standard input.",
)
run_argument = click.argument("run", metavar="RUN", type=FILE, help="A run directory, finished or not.")
finished_run_argument = click.argument("run", metavar="RUN", type=FILE, help="A finished run directory.")
flagged_run_argument = click.argument("run", metavar="RUN", type=FILE, help="A run that `judge audit` has flagged.")
json_option = click.option("--json", is_flag=True, help="Print JSON for machines.")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace a file that is already there.")
guideline_option = click.option(
    "--guideline",
    metavar="NAME|FILE",
    default=guidelines.DEFAULT,
    help="What relevance means; see `judge guideline`.",
)
skip_option = click.option(
    "--skip-bad-rows", is_flag=True, help="Set aside rows that cannot be used, count them, and continue."
)


def _map() -> Option:
    return Option(
        ["--map"],
        metavar="NAME=COLUMN",
        multiple=True,
        help="Use the file's COLUMN as NAME; repeatable. Given twice for one NAME, each file uses the column it has.",
    )


def _catalogue() -> Option:
    return file("--catalogue", "FILE", "Candidates with `candidate_id` and their texts.")


def _queries() -> Option:
    return file("--queries", "FILE", "The words of queries that rows name by `query_id` alone.")


def _encoding() -> Option:
    return text("--encoding", "NAME", "The encoding of files that are not UTF-8, such as cp1252.")


def check_named(option: str, path: Path | None) -> None:
    """Refuse standard input: it is read as the verb's argument, and there is one of it."""
    if path is not None and str(path) == "-":
        raise InputError(f"{option} -: only PAIRS or RATINGS may be standard input", "give a file with a name")


@dataclass(frozen=True)
class EncodingParams:
    """How a file of text is read."""

    encoding: Annotated[str | None, _encoding()]


@dataclass(frozen=True)
class CatalogueParams(EncodingParams):
    """How a file of products is read."""

    catalogue: Annotated[Path | None, _catalogue()]
    map: Annotated[tuple[str, ...], _map()]

    def __post_init__(self) -> None:
        check_named("--catalogue", self.catalogue)

    @property
    def mapping(self) -> dict[str, list[str]]:
        """Our names to the files' columns."""
        return read_map(self.map)


@dataclass(frozen=True)
class PairParams(CatalogueParams):
    """How a file of pairs is read."""

    queries: Annotated[Path | None, _queries()]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_named("--queries", self.queries)


@dataclass(frozen=True)
class TextParams:
    """Where the texts of rated pairs are, and what their grades mean."""

    catalogue: Annotated[Path | None, _catalogue()]
    guideline: Annotated[
        str,
        Option(
            ["--guideline"],
            metavar="NAME|FILE",
            default=guidelines.DEFAULT,
            help="What relevance means; see `judge guideline`.",
        ),
    ]

    def __post_init__(self) -> None:
        check_named("--catalogue", self.catalogue)

    def policy(self) -> guidelines.Guideline:
        """The guideline.

        Raises:
            InputError: There is none of this name.
        """
        return guidelines.load_guideline(self.guideline)


@dataclass(frozen=True)
class GradeColumns:
    """Which column of a file holds a grade, and what it means."""

    rating: Annotated[str | None, text("--rating", "COLUMN", "The column that holds the grade; `grade` unless given.")]
    grades: Annotated[
        str | None,
        text(
            "--grades",
            "E=2,S=1,…",
            "What the file's grades mean; the guideline's values unless given. `unrateable=` means no grade; means "
            "have ranges that hold their upper end: 1..1.67=0,1.67..2.33=1,2.33..3=2.",
        ),
    ]
    map: Annotated[tuple[str, ...], _map()]

    @property
    def mapping(self) -> dict[str, list[str]]:
        """Our names to the file's columns."""
        return read_map(self.map, self.rating)

    def known(self, guideline: guidelines.Guideline) -> Mapping[str, int | None]:
        """What the file writes to the guideline's grades."""
        return guidelines.known_grades(read_grades(self.grades), guideline)

    def layout(self, *, skip_bad_rows: bool = False) -> "RatingsLayout":
        """As the reader of ratings takes it."""
        from judge.ratings.layout import RatingsLayout

        grades = read_grades(self.grades) or {}
        return RatingsLayout(self.mapping, grades, *self.whose, skip_bad_rows=skip_bad_rows)

    @property
    def whose(self) -> tuple[list[str], str | None]:
        """The raters to take, and the adjudicated grade."""
        return [], None


@dataclass(frozen=True)
class GradeParams(GradeColumns):
    """The same of a file that may name its queries by id alone, in any encoding."""

    queries: Annotated[Path | None, _queries()]
    encoding: Annotated[str | None, _encoding()]

    def __post_init__(self) -> None:
        check_named("--queries", self.queries)

    def layout(self, *, skip_bad_rows: bool = False) -> "RatingsLayout":
        """As the reader of ratings takes it."""
        return replace(super().layout(skip_bad_rows=skip_bad_rows), queries=self.queries, encoding=self.encoding)

    def source(
        self, path: Path, name: str, catalogue: Path | None, grades: Mapping[str, int | None] | None = None
    ) -> "Source":
        """The rows of a file, called so, as they are staged."""
        from judge.pairs.stage import Source

        found = Source(path, catalogue, self.mapping, grades=grades, name=name)
        return replace(found, queries=self.queries, encoding=self.encoding)


@dataclass(frozen=True)
class RaterParams(GradeParams):
    """The same of a file of several raters."""

    raters: Annotated[
        str | None, text("--raters", "A,B,C", "The raters' columns; or, in a long file, the raters to take.")
    ]

    @property
    def whose(self) -> tuple[list[str], str | None]:
        """The raters to take, and no adjudicated grade."""
        return read_raters(self.raters), None


@dataclass(frozen=True)
class RatingParams(RaterParams):
    """The same of a file that may hold an adjudicated grade."""

    gold: Annotated[str | None, text("--gold", "NAME", "The adjudicated grade: a column, or a rater of a long file.")]

    @property
    def whose(self) -> tuple[list[str], str | None]:
        """The raters to take, and the adjudicated grade."""
        return read_raters(self.raters), self.gold


@dataclass(frozen=True)
class FileOutput:
    """A file to write, and how to say what was written."""

    out: Annotated[Path, file("--out", "FILE", "The file to write.", required=True)]
    overwrite: Annotated[bool, flag("--overwrite", "Replace a file that is already there.")]
    json: Annotated[bool, flag("--json", "Print JSON for machines.")]
