"""The lines of a click log as Arrow batches: every line that is not blank comes out once, as cells or as unreadable.

In a log a row is one physical line, ended by LF or CRLF in any mixture: a quote that never closes breaks its own line
and no other. Where a later line closes it as a cell, a cell of several lines and rows between two stray quotes look the
same: refused. In TSV a quote is a letter. A CR inside a line makes it unreadable; if it parts rows, refused.

Arrow parses lines without quotes, and lines whose quotes enclose whole cells, believed where it finds as many rows as
line ends; what is neither goes through Python's `csv`, a line at a time. `LineCounter` counts the same bytes, and knows
of no cells.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from audit.engagement.json_lines import is_text, json_lines
from judge.errors import InputError
from judge.tables.line_count import BOM, CHUNK, LineCounter
from judge.tables.lines import LIMIT
from judge.tables.rows import Table

BLOCK = 2**21
"""Bytes read at once: as much as one broken line sends through the slower path."""
QUOTED = re.compile(rb'^[^"\n]*"[^\n]*', re.MULTILINE)
"""A line that holds a quote."""
ONE_LINE = "write each row on one line, double the quotes inside quoted cells, or give the log as JSONL or Parquet"


class LogLines:
    """The lines of a CSV, TSV or JSONL file, to be read once.

    Args:
        table: The opened file.
        wanted: Our names with the index of the column of each; of JSONL none, and each line is one cell, `line`.
    """

    def __init__(self, table: Table, wanted: Sequence[tuple[str, int]] = ()) -> None:
        self._table = table
        self._wanted = wanted
        self._separator = "\t" if table.format == ".tsv" else ","
        self._blank = b" \v\f\r" if self._separator == "\t" else b" \t\v\f\r"
        self._width = table.width
        cell = rb'(?:[^",\r]*|"[^"\r]*(?:""[^"\r]*)*")'
        self._well_quoted = re.compile(rb"(%b(?:,%b){%d})\r*" % (cell, cell, max(self._width - 1, 0)))
        self._counter = LineCounter()
        self._open: tuple[int, str] | None = None
        """The number and text of the last line with an open quote that no line has closed or contradicted yet."""
        self.failure: InputError | None = None
        """Why reading ended early: the consumer of an Arrow stream gets to see no exception of ours."""

    def counted(self) -> int:
        """Lines that are neither blank nor the header, counted in bytes. To be called once, after the last batch."""
        return self._counter.finish().filled - (self._table.columns is not None)

    def reader(self) -> Any:
        """An Arrow `RecordBatchReader`: text columns of our names and `broken`, or of JSONL the one column `line`.

        A cell without text is null; a line that cannot be parted into cells has `broken` = `unreadable`, and one of
        JSONL that is not UTF-8 is null.
        """
        import pyarrow as pa

        names = ["line"] if self._table.columns is None else [*(name for name, _ in self._wanted), "broken"]
        schema = pa.schema([(name, pa.string()) for name in names])
        return pa.RecordBatchReader.from_batches(schema, self._batches(schema))

    def _batches(self, schema: Any) -> Iterator[Any]:
        try:
            blocks = self._blocks()
            if self._table.columns is None:
                yield from (json_lines(self._with_ends(number, data), schema) for number, data in blocks)
            else:
                for number, data in self._below_header(blocks):
                    yield from self._cells(number, data, schema).to_batches()
        except InputError as error:
            self.failure = error
            raise

    def _below_header(self, blocks: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
        for number, data in blocks:
            lines = data.split(b"\n")
            above = next((index for index, line in enumerate(lines) if line.strip(self._blank)), None)
            if above is None:
                continue
            if self._parted(lines[above]) is None:
                message = f"{self._table.name}, line {number + above}: is not a header of {self._width} cells"
                lone = _has_lone_cr(lines[above])
                raise self._several(number + above) if lone else InputError(message, "write the header on one line")
            yield number + above + 1, b"\n".join(lines[above + 1 :])
            break
        yield from blocks

    def _blocks(self) -> Iterator[tuple[int, bytes]]:
        """Whole lines, each with its end, and the number of the first; counted as they pass."""
        number, held = 1, [b""]
        with self._table.reading(), self._table.raw() as stream:
            while piece := stream.read(BLOCK):
                cut = piece.rfind(b"\n") + 1
                if not cut:
                    held.append(piece)
                    if sum(map(len, held)) > LIMIT:
                        message = f"{self._table.name}, line {number}: is longer than {LIMIT // 2**20} MiB"
                        raise InputError(message, "write each row on a line of its own")
                    continue
                data = b"".join([*held, piece[:cut]])
                held = [piece[cut:]]
                yield number, self._pass(number, data)
                number += data.count(b"\n")
        if last := b"".join(held):
            yield number, self._pass(number, last + b"\n")

    def _pass(self, number: int, data: bytes) -> bytes:
        """Count a block, in which a lone CR ends no line, and take a byte order mark off the first."""
        lines = re.sub(rb"\r(?!\n)", b" ", data) if _has_lone_cr(data) else data
        if self._separator == "\t":
            lines = lines.replace(b"\t", b",")  # a line of tabs is a row of empty cells
        for at in range(0, len(lines), CHUNK):
            self._counter.update(lines[at : at + CHUNK])
        return data.removeprefix(BOM) if number == 1 else data

    def _cells(self, number: int, data: bytes, schema: Any) -> Any:
        """A block of lines as an Arrow table."""
        import pyarrow as pa

        quotes, lone = self._separator == "," and b'"' in data, _has_lone_cr(data)
        enclosing = quotes and not self._open and all(map(self._well_quoted.fullmatch, QUOTED.findall(data)))
        if not lone and (enclosing or not quotes):
            table = self._parsed(data, schema, '"' if quotes else False)
            if table is not None:
                return table
        lines = data.split(b"\n")
        odd = [(index, line) for index, line in enumerate(lines, number) if b'"' in line]
        plain = [line for line in lines[:-1] if b'"' not in line]
        table = self._parsed(b"\n".join([*plain, b""]), schema) if quotes and not lone else None
        if table is None:
            separator, fits = self._separator.encode(), self._width - 1
            odd, plain = [], []
            for index, line in enumerate(lines, number):
                if line.count(separator) == fits and b"\r" not in line[:-1] and not (quotes and b'"' in line):
                    plain.append(line)
                else:
                    odd.append((index, line))
            table = self._parsed(b"\n".join([*plain, b""]), schema)
        if table is None:
            odd = list(enumerate(lines, number))  # some line is not UTF-8
        odd = [(index, line) for index, line in odd if line.strip(self._blank)]
        rows, well, text = [], [b""], quotes and is_text(data)
        for index, line in odd:
            if text and not self._open and (found := self._well_quoted.fullmatch(line)):
                well.insert(-1, found[1])
            else:
                rows.append(self._row(index, line))
        columns = list(zip(*rows, strict=True)) or [()] * len(schema)
        own = pa.table([pa.array(column, pa.string()) for column in columns], schema=schema)
        between = self._parsed(b"\n".join(well), schema, '"') if well[1:] else None
        return pa.concat_tables([part for part in (table, between, own) if part is not None])

    def _parsed(self, data: bytes, schema: Any, quote: str | Literal[False] = False) -> Any:
        """Lines without lone CRs, and without quotes but `quote`, as Arrow parts them, or null if any is no row."""
        import pyarrow as pa
        from pyarrow import csv as arrow

        names = [str(index) for index in range(self._width)]
        try:
            table = arrow.read_csv(
                pa.BufferReader(data),
                arrow.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
                arrow.ParseOptions(delimiter=self._separator, quote_char=quote),
                arrow.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    include_columns=list(dict.fromkeys(str(index) for _, index in self._wanted)),
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
        except pa.ArrowInvalid:
            return None
        if table.num_rows != data.count(b"\n"):
            return None
        columns = [table.column(str(index)) for _, index in self._wanted]
        return pa.table([*columns, pa.nulls(table.num_rows, pa.string())], schema=schema)

    def _row(self, number: int, line: bytes) -> list[str | None]:
        """One line's wanted cells, and what is broken about it."""
        cells = self._parted(line)
        if self._separator == "," and b'"' in line and (cells is None or self._open):
            self._follow(number, line)
        if cells is None:
            if _has_lone_cr(line) and sum(self._parted(part) is not None for part in line.split(b"\r")) > 1:
                raise self._several(number)
            return [None] * len(self._wanted) + ["unreadable"]
        return [*(cells[index] or None for _, index in self._wanted), None]

    def _with_ends(self, number: int, data: bytes) -> bytes:
        """Lines of JSON as they are, unless a CR parts several objects; inside of one it is white space."""
        if _has_lone_cr(data):
            for index, line in enumerate(data.split(b"\n"), number):
                parts = [part.strip() for part in line.split(b"\r")]
                if sum(part.startswith(b"{") and part.endswith(b"}") for part in parts) > 1:
                    raise self._several(index)
        return data

    def _several(self, number: int) -> InputError:
        message = f"{self._table.name}, line {number}: holds several rows, with a CR alone between them"
        return InputError(message, "end lines with LF or CRLF")

    def _parted(self, line: bytes) -> list[str] | None:
        """The cells of one line, or null if it is no row."""
        line = line.rstrip(b"\r")
        try:
            text = line.decode("utf-8")
            cells = text.split("\t") if self._separator == "\t" else next(csv.reader((text,), strict=True), [])
        except (UnicodeDecodeError, csv.Error):
            return None
        return cells if len(cells) == self._width and b"\r" not in line else None

    def _follow(self, number: int, line: bytes) -> None:
        """Refuse a quote that an earlier line left open and this one closes as a cell."""
        text = line.decode("utf-8", "surrogateescape").rstrip("\r") + "\n"
        if self._open:
            first, before = self._open
            cells, ended = _read_csv(before, text)
            if cells is not None and len(cells) == self._width:
                raise InputError(
                    f"{self._table.name}, line {first}: a quote opens a cell that runs on to line {number}: "
                    "a cell of several lines and rows between stray quotes look the same",
                    ONE_LINE,
                )
            if ended:
                self._open = None
        if not self._open and not _read_csv(text)[1]:
            self._open = number, text


def _read_csv(*lines: str) -> tuple[list[str] | None, bool]:
    """The cells of one record of these lines, null if it is none, and whether it ends within them."""
    reader = csv.reader((*lines, ""), strict=True)
    try:
        return next(reader), reader.line_num <= len(lines)
    except csv.Error:
        return None, reader.line_num <= len(lines)


def _has_lone_cr(data: bytes) -> bool:
    return data.count(b"\r") != data.count(b"\r\n")
