"""CSV and TSV parted into cells. CSV quotes as RFC 4180 says; TSV has no quoting, and a quote is a letter."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass

FIELD_LIMIT = 16 * 1024 * 1024
"""The longest cell in characters: beyond it a quote is open, not a text long."""
_UNCLOSED = "a quote opens and never closes"
_FAULTS = {
    "end of data": _UNCLOSED,
    "expected after": "text follows a closing quote",
    "field larger": f"a cell is longer than {FIELD_LIMIT:,} characters",
}


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of one record, or why its lines cannot be parted; an empty line has neither."""

    line: int
    """The first line, counted from 1."""
    last: int
    cells: list[str]
    fault: str = ""
    swallowed: bool = False
    """Whether it runs over lines most of which look like records themselves."""

    @property
    def unclosed(self) -> bool:
        """Whether a quote opens that the file never closes."""
        return self.fault == _UNCLOSED


def read_cells(lines: Iterator[str], separator: str, quoted: bool = True) -> Iterator[Cells]:
    """The records of lines that keep their ends, and the empty lines between them: each line is in one of them."""
    csv.field_size_limit(FIELD_LIMIT)
    held: list[str] = []
    reader = csv.reader(
        _holding(lines, held),
        delimiter=separator,
        strict=True,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
    )
    while True:
        held.clear()
        line, fault = reader.line_num + 1, ""
        try:
            cells = next(reader, None)
        except csv.Error as error:
            cells = []
            fault = next((ours for theirs, ours in _FAULTS.items() if theirs in str(error)), "cannot be read")
        if cells is None:
            return
        several = reader.line_num > line
        yield Cells(line, reader.line_num, cells, fault, several and _look_like_records(held, separator, len(cells)))


def _holding(lines: Iterator[str], held: list[str]) -> Iterator[str]:
    """The lines, each also put into `held`."""
    for line in lines:
        held.append(line)
        yield line


def _look_like_records(lines: list[str], separator: str, width: int) -> bool:
    """Whether most of the lines, quotes aside, have as many cells as the record that they make together.

    Between an open quote and another that happens to close it lie whole records. A text of several lines has other
    numbers of separators, and prose has a space after each comma.
    """
    texts = [line for line in lines if line.strip()]
    alike = sum(line.count(separator) == width - 1 and separator + " " not in line for line in texts)
    return width > 1 and 2 * alike > len(texts)
