"""Rows of any file as lines of JSON, for logs that no fast reader knows: workbooks, bulk requests, dumps, `;`."""

import json
from collections.abc import Iterator
from typing import Any

from judge.errors import InputError
from judge.records import Problem
from judge.tables.rows import Table

BATCH = 20_000


class RowLines:
    """The rows of a table, to be read once; see `audit.engagement.log_lines.LogLines`.

    Args:
        table: The opened file.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._rows = 0
        self.failure: InputError | None = None

    def counted(self) -> int:
        """The rows, which the table has proven to be all. To be called after the last batch."""
        return self._rows

    def reader(self) -> Any:
        """An Arrow `RecordBatchReader` of one column, `line`; null for a row that cannot be read."""
        import pyarrow as pa

        schema = pa.schema([("line", pa.string())])
        return pa.RecordBatchReader.from_batches(schema, self._batches(schema))

    def _batches(self, schema: Any) -> Iterator[Any]:
        import pyarrow as pa

        batch: list[str | None] = []
        try:
            for row in self._table.rows():
                self._rows += 1
                batch.append(None if isinstance(row, Problem) else _line(row.values))
                if len(batch) == BATCH:
                    yield pa.record_batch([pa.array(batch, pa.string())], schema=schema)
                    batch = []
        except InputError as error:
            self.failure = error
            raise
        yield pa.record_batch([pa.array(batch, pa.string())], schema=schema)


def _line(values: Any) -> str | None:
    line = json.dumps(dict(values), ensure_ascii=True, default=str)
    # Half of a surrogate pair is a byte that was no text.
    return None if "\\udc" in line and any(_stray(text) for text in values.values()) else line


def _stray(value: Any) -> bool:
    return isinstance(value, str) and any("\udc80" <= sign <= "\udcff" for sign in value)
