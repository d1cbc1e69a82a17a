"""Every input row as Parquet."""

from judge.export.everything import PARQUET_ROWS, rows_of
from judge.export.formats import Format
from judge.export.reading import read_pairs

FORMAT = Format(
    name="parquet",
    help="the same as Parquet",
    opened_by="anything",
    suffix=".parquet",
    write=rows_of(PARQUET_ROWS),
    read=read_pairs,
    order=140,
    every_row=True,
)
