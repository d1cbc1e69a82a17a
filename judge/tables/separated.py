"""CSV and TSV as rows: a header, and a row for each record below it."""

from collections import Counter
from collections.abc import Collection, Iterator

from judge.errors import InputError
from judge.notes import note
from judge.records import Problem, counted
from judge.tables.delimited import Cells, read_cells
from judge.tables.file import USE_ENCODING, File, Row
from judge.tables.lines import text_lines
from judge.tables.sniff import dialect_of
from judge.tables.values import guarded, restored
from judge.text import encodable

_AS_CSV = "let its name end in .csv: tabs part its cells all the same, and quotes enclose them"


class SeparatedRows:
    """The rows of a sheet.

    Args:
        file: The file.
        suffix: `.csv` or `.tsv`.

    Raises:
        InputError: Its header cannot be read.
    """

    def __init__(self, file: File, suffix: str) -> None:
        self.file = file
        with file.open()[1] as stream:
            head = next(filter(str.strip, text_lines(stream, file.name)), None)
        if head is None:
            raise InputError(f"{file.name}: is empty", "give a file with the column names on its first line")
        self.dialect = dialect_of(suffix, head, file.name)
        header = self._header()
        self.width = len(header)
        """Cells of the header, with those at its end that have no name."""
        while not header[-1]:
            header.pop()
        self.columns: tuple[str, ...] = tuple(header)
        for column, times in Counter(filter(None, self.columns)).items():
            if times > 1:
                raise InputError(f"{file.name}, line 1: column {column!r} occurs twice", "rename or drop one of them")
        self._guarded = guarded(self.columns)
        self._noted = self.dialect.quoted

    def rows(self, wanted: Collection[str] | None = None) -> Iterator[Row | Problem]:
        """All rows in order."""
        counted_bytes, stream = self.file.open()
        with stream:
            number, lines = -2 if self.dialect.sep_line else -1, 0
            for record in self._records(text_lines(stream, self.file.name)):
                lines += record.last - record.line + 1
                # Below its table a spreadsheet leaves rows of empty cells: no more than blank lines are they rows.
                if not _filled(record):
                    continue
                number += 1
                if number > 0:
                    yield self._row(record, number)
            self.file.prove(lines, counted_bytes.finish().total, "line")

    def _records(self, lines: Iterator[str]) -> Iterator[Cells]:
        return read_cells(lines, self.dialect.separator, self.dialect.quoted)

    @property
    def _fix(self) -> str:
        if not self.dialect.quoted:
            return "TSV has no quotes: give texts that hold tabs or line breaks as CSV or JSONL"
        return "quote cells that hold the separator, a quote or a line break; double the quotes inside"

    def _header(self) -> list[str]:
        name = self.file.name
        with self.file.open()[1] as stream:
            records = filter(_filled, self._records(text_lines(stream, name)))
            if self.dialect.sep_line:
                next(records)
            found = next(records, None)
        if found is None:
            raise InputError(f"{name}: is empty", "put the column names below the line that names the separator")
        if found.swallowed:
            raise self._runs_on(found, f"{name}, line {found.line}: is the header")
        if found.fault:
            raise InputError(f"{name}, line {found.line}: {found.fault}", "fix the quotes of the header")
        header = [cell.strip() for cell in found.cells]
        if not any(header):
            raise InputError(f"{name}: has no header line", "put the column names on the first line")
        if not self.dialect.quoted and all(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in header if cell):
            message = f"{name}, line {found.line}: the column names are in quotes, and in TSV a quote is a letter"
            raise InputError(message, _AS_CSV)
        if not all(map(encodable, header)):
            raise InputError(f"{name}, line {found.line}: is not UTF-8 text", USE_ENCODING)
        return header

    def _row(self, record: Cells, number: int) -> Row | Problem:
        fault, cells = record.fault, record.cells
        if not fault and len(cells) != self.width and (len(cells) < self.width or any(cells[self.width :])):
            fault = f"has {counted(len(cells), 'cell')} where the header has {self.width}"
        if not fault and len(self.columns) > 1 and self._is_header(cells):
            fix = "leave the line out: files that are joined keep the first header alone"
            return self.file.problem("repeated_header", "has the column names again", fix, number, record.line)
        if not fault and not record.swallowed:
            if not self._noted and any(map(_enclosed, cells)):
                self._noted = True
                place = f"{self.file.name}, line {record.line}"
                note(f"{place}: a cell is quoted as in CSV, and in TSV a quote is a letter; if it is none, {_AS_CSV}")
            values = dict(zip(self.columns, cells, strict=False))
            if self._guarded:
                values |= {column: restored(values[column]) for column in self._guarded}
            return Row(number, record.line, values)
        kind = "broken_quotes" if record.fault or record.swallowed else "ragged_row"
        problem = self.file.problem(kind, fault or "holds lines that look like rows", self._fix, number, record.line)
        if record.last > record.line or record.unclosed:
            raise self._runs_on(record, str(problem))
        return problem

    def _is_header(self, cells: list[str]) -> bool:
        """Whether a row has the column names again, as in files joined by `cat`, perhaps with a byte order mark."""
        last = len(self.columns) - 1
        same = cells[last].strip() == self.columns[last]
        return same and tuple(cell.strip("\ufeff\t ") for cell in cells[: last + 1]) == self.columns

    def _runs_on(self, record: Cells, what: str) -> InputError:
        """Lines that a quote may have swallowed: nobody knows how many rows they were, so none of them is skipped."""
        fix = f"{self._fix}; texts of several lines can also be given as JSONL"
        return InputError(f"{what}, and runs on to line {record.last}: a quote may be open", fix)


def _enclosed(cell: str) -> bool:
    """Whether a cell was quoted as in CSV: hardly anybody doubles each quote inside of quotes by hand."""
    return cell[:1] == cell[-1:] == '"' and '""' in (inside := cell[1:-1]) and '"' not in inside.replace('""', "")


def _filled(record: Cells) -> bool:
    return bool(record.fault or any(map(str.strip, record.cells)))
