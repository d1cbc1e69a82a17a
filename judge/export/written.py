"""What an export wrote, as a record."""

from collections.abc import Mapping

from pydantic import model_validator

from judge.records import Record


class WrittenView(Record):
    """One view, or one format: `used` and `left_out` add up to the run's input rows."""

    records: Mapping[str, int]
    """Records by split: rows, triplets, queries with their lists; whatever one line or row of the format is."""
    used: int
    """Input rows that are in some record."""
    left_out: Mapping[str, int]
    """Input rows that are in none, by reason."""
    undecided: int = 0
    """Rows of `used` whose label is flagged, and nobody has settled it."""
    reworded: int = 0
    """Products with several texts, of which only the first is in it."""
    files: tuple[str, ...]
    """The files, relative to what was asked for."""


class Written(Record):
    """All views of an export."""

    input_rows: int
    views: Mapping[str, WrittenView]

    @model_validator(mode="after")
    def _adds_up(self) -> "Written":
        for name, view in self.views.items():
            if view.used + sum(view.left_out.values()) != self.input_rows:
                raise ValueError(f"{name}: {view.used} used and {view.left_out} left out of {self.input_rows} rows")
        return self
