"""Every input row as JSON Lines."""

from judge.export.everything import JSON_ROWS, rows_of
from judge.export.formats import Format
from judge.export.reading import read_pairs

FORMAT = Format(
    name="jsonl",
    help="every input row in input order, with status and reason; nothing can be selected",
    opened_by="anything",
    suffix=".jsonl",
    write=rows_of(JSON_ROWS),
    read=read_pairs,
    order=120,
    every_row=True,
)
