"""How a file lays out people's grades: which columns hold them, and whose they are.

Long: a row a grade, `query, candidate_id, rater, grade[, clause, time]`. Wide: a row a pair, a column a rater, whose
names `--raters` gives. A file with neither, but with a grade, is the work of one rater. `gold` names the adjudicated
grade: a column, or, in a long file, a rater. Columns that describe the pair (`FACETS`, `TEXTS`) may come along.

Another file format (qrels, a spreadsheet) is another `judge.tables.rows.Table`: rows of named columns. What its grades
mean is said here and nowhere else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from judge.errors import InputError
from judge.pairs.identity import QueryNames
from judge.tables.columns import ALIASES, RATING_ALIASES, Columns
from judge.tables.rows import Table
from judge.words.guideline import Guideline, known_grades

FACETS = ("kind", "category", "locale", "language", "traffic")
"""What a file may say of a pair in addition to its grade: the segments of a report."""
TEXTS = ("title", "category", "description")
"""What a report shows of a candidate."""
DESCRIBED = tuple(dict.fromkeys((*FACETS, *TEXTS)))
CORE = ("query", "candidate_id", "query_id", "rater", "grade", "clause", "time")
NAMES = (*CORE, *DESCRIBED)
ALONE = "people"
"""What the only rater is called where the file does not say."""


@dataclass(frozen=True)
class RatingsLayout:
    """What the user said of a file of ratings."""

    mapping: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Our names to the file's columns. Names that are not `NAMES` are passed over: a guideline's fields may be here."""
    grades: Mapping[str, int | None] = field(default_factory=dict)
    """What the file writes to the guideline's value, null for no answer; see `judge.words.guideline.known_grades`."""
    raters: Sequence[str] = ()
    """The raters' columns, for a wide file; or the raters to take from a long one."""
    gold: str | None = None
    skip_bad_rows: bool = False
    """Whether grades and rows that cannot be used are counted and left out."""
    one_grade: bool = False
    """Whether a pair may have only one grade, whoever gives it: raters who differ are then a problem."""
    queries: Path | None = None
    """A file of `query_id, query`, where ratings name queries by id alone."""
    encoding: str | None = None
    """What the files' text is in, where it is not UTF-8."""

    def check(self, guideline: Guideline) -> None:
        """Refuse a mapping of a name that is neither ours nor a field of the guideline. Pairs' texts may be mapped as
        for labelling, whether they are read or not.

        Raises:
            InputError: There is such a name.
        """
        fields = [field.name for field in guideline.fields]
        Columns(self.mapping, [*NAMES, *(name for name in fields if name not in NAMES)])

    def settled(self, guideline: Guideline) -> "RatingsLayout":
        """The same, checked, and with what every grade of the file means.

        Raises:
            InputError: A name or a grade is none of ours.
        """
        self.check(guideline)
        return replace(self, grades=known_grades(self.grades or None, guideline))

    def columns(self) -> Columns:
        """The file's columns fitted to `NAMES`."""
        ours = {name: columns for name, columns in self.mapping.items() if name in NAMES}
        return Columns(ours, NAMES, ALIASES if self.raters else RATING_ALIASES)


@dataclass(frozen=True)
class Roles:
    """Where a file's grades are."""

    wide: Mapping[str, str]
    """Columns of one rater's grades each, to the rater; gold may be among them."""
    single: bool
    """Whether the column `grade` holds grades as well, of the rater whom the row names."""
    alone: str
    """Who gave those where no row names a rater."""
    column: str = "grade"
    """The column of those."""


def find_roles(
    table: Table, layout: RatingsLayout, columns: Columns, available: tuple[str, ...], names: QueryNames
) -> Roles:
    """Which columns hold grades; `available` are the file's, or, where each row has its own, those of its first row.

    Raises:
        InputError: A column that the user named, or that every file of ratings has, is missing.
    """
    mapped = columns.find(available)
    long = "rater" in mapped and not (layout.raters and set(layout.raters) <= set(available))
    single = long or not layout.raters
    names.require(columns, table)
    columns.require(table, ["grade"] if single else [])
    wide = {} if single else {rater: rater for rater in layout.raters}
    if layout.gold and (layout.gold in available or not long):
        wide[layout.gold] = layout.gold
    for column in wide:
        if table.columns is not None and column not in available:
            raise InputError(
                f"{table.name}, row 1, field {column!r}: missing column {column!r}; it has {', '.join(available)}",
                "name the columns that hold grades with --raters A,B,C and --gold COLUMN",
            )
    alone = mapped.get("grade", "grade")
    return Roles(wide, single, ALONE if alone == "grade" else alone, alone)
