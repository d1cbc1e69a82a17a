"""Every input row for a spreadsheet: no text in it begins a formula, and a list is numbers between spaces."""

from judge.export.everything import CSV_ROWS, rows_of
from judge.export.formats import Format
from judge.export.reading import read_pairs

FORMAT = Format(
    name="csv",
    help="the same for a spreadsheet: no cell begins a formula",
    opened_by="a spreadsheet",
    suffix=".csv",
    write=rows_of(CSV_ROWS),
    read=read_pairs,
    order=130,
    every_row=True,
)
