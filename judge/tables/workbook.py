"""An Excel workbook as rows: the one sheet that holds anything. Of a formula the value that was saved is read."""

import zipfile
from collections.abc import Collection, Iterator
from datetime import date, datetime, time
from typing import Any

from judge.errors import InputError, install
from judge.records import Problem
from judge.tables.file import File, Row


class WorkbookRows:
    """The rows of a workbook's sheet.

    Raises:
        InputError: It cannot be read, several of its sheets hold something, or openpyxl is not installed.
    """

    def __init__(self, file: File) -> None:
        self.file = file
        book = self._book()
        try:
            filled = [sheet.title for sheet in book.worksheets if any(map(_filled, sheet.iter_rows(values_only=True)))]
            if not filled:
                raise InputError(f"{file.name}: is empty", "give a sheet with the column names on its first line")
            if len(filled) > 1:
                raise InputError(
                    f"{file.name}: {len(filled)} of its sheets hold something ({', '.join(filled[:5])})",
                    "keep the sheet that is meant in a workbook of its own, or save it as CSV",
                )
            self._sheet = filled[0]
            header = next(filter(_filled, book[self._sheet].iter_rows(values_only=True)))
        finally:
            book.close()
        names = ["" if cell is None else str(cell).strip() for cell in header]
        while not names[-1]:
            names.pop()
        self.columns: tuple[str, ...] = tuple(names)
        if twice := next((name for name in names if name and names.count(name) > 1), None):
            raise InputError(f"{file.name}, row 1: column {twice!r} occurs twice", "rename or drop one of them")

    def rows(self, wanted: Collection[str] | None = None) -> Iterator[Row | Problem]:
        """All rows in order; those without any cell are none."""
        book = self._book()
        number, width = -1, len(self.columns)
        try:
            for line, cells in enumerate(book[self._sheet].iter_rows(values_only=True), 1):
                if not _filled(cells):
                    continue
                number += 1
                if number:
                    padded = [*map(_plain, cells[:width]), *[None] * (width - len(cells))]
                    yield Row(number, line, dict(zip(self.columns, padded, strict=True)))
        finally:
            book.close()

    def _book(self) -> Any:
        try:
            import openpyxl
        except ImportError:
            raise InputError(
                f"{self.file.name}: openpyxl reads workbooks, and is not installed", install("xlsx")
            ) from None
        try:
            return openpyxl.load_workbook(self.file.path, read_only=True, data_only=True)
        except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, SyntaxError) as error:
            if isinstance(error, OSError) and error.strerror:
                raise
            raise InputError(
                f"{self.file.name}: is not a whole workbook", "save it again as .xlsx, or as CSV"
            ) from None


def _filled(cells: tuple[Any, ...]) -> bool:
    return any(cell is not None and str(cell).strip() for cell in cells)


def _plain(cell: Any) -> Any:
    return cell.isoformat() if isinstance(cell, datetime | date | time) else cell
