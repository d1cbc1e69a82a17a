"""An Excel workbook as rows: the one sheet that holds anything. Of a formula the value that was saved is read."""

import warnings
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from judge.errors import InputError, install
from judge.records import Problem, counted
from judge.tables.file import File, Row
from judge.tables.parquet import UNFOLDED

_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, LookupError, ValueError, TypeError, AttributeError, SyntaxError)
"""What openpyxl raises at a workbook that is not whole; its XML's errors are syntax errors."""


class WorkbookRows:
    """The rows of a workbook's sheet.

    Raises:
        InputError: It cannot be read, several of its sheets hold something, or openpyxl is not installed.
    """

    def __init__(self, file: File) -> None:
        self.file = file
        if file.packing:
            raise InputError(f"{file.name}: a workbook compresses itself", "unpack it first")
        with self._book() as book:
            filled = [sheet.title for sheet in book.worksheets if any(map(_filled, self._cells(sheet)))]
            if not filled:
                raise InputError(f"{file.name}: is empty", "give a sheet with the column names on its first line")
            if len(filled) > 1:
                raise InputError(
                    f"{file.name}: {len(filled)} of its sheets hold something ({', '.join(filled[:5])})",
                    "keep the sheet that is meant in a workbook of its own, or save it as CSV",
                )
            self._sheet = filled[0]
            header = next(filter(_filled, self._cells(book[self._sheet])))
        names = ["" if cell is None else str(cell).strip() for cell in header]
        while not names[-1]:
            names.pop()
        self.columns: tuple[str, ...] = tuple(names)
        if twice := next((name for name in names if name and names.count(name) > 1), None):
            raise InputError(f"{file.name}, row 1: column {twice!r} occurs twice", "rename or drop one of them")

    def rows(self, wanted: Collection[str] | None = None) -> Iterator[Row | Problem]:
        """All rows in order; those without any cell are none."""
        number, width = -1, len(self.columns)
        with self._book() as book:
            for line, cells in enumerate(self._cells(book[self._sheet]), 1):
                if not _filled(cells):
                    continue
                number += 1
                if number and _filled(cells[width:]):
                    last = max(place for place, cell in enumerate(cells, 1) if _filled((cell,)))
                    message = f"has {counted(last, 'cell')} where the header has {width}"
                    yield self.file.problem("ragged_row", message, "name each column on the first line", number, line)
                elif number:
                    padded = [*cells[:width], *[None] * (width - len(cells))]
                    yield Row(number, line, dict(zip(self.columns, padded, strict=True)))

    @contextmanager
    def _book(self) -> Iterator[Any]:
        try:
            import openpyxl
        except ImportError:
            raise InputError(
                f"{self.file.name}: openpyxl reads workbooks, and is not installed", install("xlsx")
            ) from None
        # openpyxl leaves a file that it opened itself open where it fails.
        with self.file.path.open("rb") as stream:
            with self._whole():
                with zipfile.ZipFile(stream) as archive:
                    size = sum(part.file_size for part in archive.infolist())
                if size > UNFOLDED:
                    message = f"{self.file.name}: unfolds to {size:,} bytes, and {UNFOLDED:,} are the most"
                    raise InputError(message, "give it in parts, or as CSV")
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of parts that openpyxl leaves out, such as lists to choose from
                    book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
            try:
                yield book
            finally:
                book.close()

    def _cells(self, sheet: Any) -> Iterator[tuple[Any, ...]]:
        """The cells of each row; the sheet's XML is read as they are asked for, and may be damaged further down."""
        with self._whole():
            yield from sheet.iter_rows(values_only=True)

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """What openpyxl raises becomes one clear error; what the disk does stays as it is."""
        try:
            yield
        except (OSError, *_DAMAGED) as error:
            if isinstance(error, OSError) and error.strerror:
                raise
            raise InputError(
                f"{self.file.name}: is not a whole workbook", "save it again as .xlsx, or as CSV"
            ) from None


def _filled(cells: tuple[Any, ...]) -> bool:
    return any(cell is not None and str(cell).strip() for cell in cells)
