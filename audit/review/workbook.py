"""The review queue as an Excel workbook: a sheet in which decisions are chosen from a list."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from judge.errors import InputError, install
from judge.run.decisions import Verdict
from judge.tables.ids import IDS

LONGEST = 32_767
"""Characters that a cell of Excel holds."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def write_workbook(
    path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]], values: Sequence[int], decision: str
) -> None:
    """Write a sheet; cells of text are text, whatever they begin with.

    Args:
        path: The file.
        columns: The header.
        rows: Numbers and texts.
        values: The guideline's grades: what may be chosen, with the words `keep` and `unsure`.
        decision: The column in which it is chosen.

    Raises:
        InputError: openpyxl is not installed, or an id would come back as another one; nothing is written.
    """
    try:
        from openpyxl import Workbook
        from openpyxl.cell import Cell
        from openpyxl.utils import get_column_letter
        from openpyxl.worksheet.datavalidation import DataValidation
    except ImportError:
        raise InputError("--to xlsx: openpyxl writes workbooks, and is not installed", install("xlsx")) from None
    book = Workbook()
    sheet = book.active
    sheet.title, sheet.freeze_panes = "queue", "A2"
    sheet.append(list(columns))
    last = 1
    for last, row in enumerate(rows, 2):
        for place, value in enumerate(row, 1):
            cell: Cell = sheet.cell(last, place)
            if isinstance(value, str):
                name = columns[place - 1]
                if name in IDS and (len(value) > LONGEST or _CONTROL.search(value)):
                    what = f"more than {LONGEST:,} characters" if len(value) > LONGEST else "a control character"
                    message = f"--to xlsx, pair {last - 1}, field {name!r}: has {what}, which no workbook can hold"
                    raise InputError(message, "use --to csv")
                cell.value = _CONTROL.sub(" ", value)[:LONGEST]
                # Never a formula, nor an error: a text, and shown as one when somebody edits it.
                cell.data_type, cell.quotePrefix = "s", True
            else:
                cell.value = value
    choices = DataValidation(
        type="list", formula1=f'"{",".join([*map(str, values), Verdict.KEEP, Verdict.UNSURE])}"', allow_blank=True
    )
    choices.error = "choose one of the list"
    sheet.add_data_validation(choices)
    letter = get_column_letter(list(columns).index(decision) + 1)
    choices.add(f"{letter}2:{letter}{max(last, 2)}")
    book.save(path)
