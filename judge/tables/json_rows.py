"""JSON as rows: lines of objects, the lines of a bulk request, dumps of an index, and documents that hold a list.

Of a bulk request (Elasticsearch, OpenSearch) the lines that say what to do are no rows; of a dump the document of each
line is, and `_id` is a column of it.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from judge.documents import NotJSON, unique
from judge.records import Problem
from judge.tables.file import USE_ENCODING, File, Row
from judge.tables.grading_tools import Tool, tool_of
from judge.tables.json_text import JsonText
from judge.tables.lines import byte_lines

ACTIONS = ("index", "create", "update", "delete")
_FIX = "write one JSON object on each line, as UTF-8"


class JsonRows:
    """The rows of a file of JSON.

    Args:
        file: The file.
        document: Whether it is one array or object, rather than lines.
    """

    columns: None = None

    def __init__(self, file: File, document: bool) -> None:
        self.file, self._document = file, document
        self._tool: Tool | None = None
        self._answers = True
        self._bulk = self._dump = False
        if first := self._first():
            self._bulk = bool(not document and action_of(first))
            self._dump = not self._bulk and _is_hit(first)
            self._tool = tool_of(_unpacked(first) if self._dump else first)
        if self._tool is not None:
            tool, records = self._tool, self._records()
            self._answers = any(isinstance(value, dict) and tool.answered(value) for _, value in records)

    @property
    def is_plain(self) -> bool:
        """Whether each line is a row as it stands, which a log's fast reader knows."""
        return not (self._document or self._bulk or self._dump or self._tool)

    def rows(self, wanted: Collection[str] | None = None) -> Iterator[Row | Problem]:
        """All rows in order."""
        if self.is_plain:
            yield from self._line_rows()
            return
        number = 0
        for line, value in self._records():
            if self._tool is None and isinstance(value, dict):
                number += 1
                yield Row(number, line, value)
            elif isinstance(value, Problem):
                number += 1
                yield self.file.problem(value.kind, value.message, value.fix, number, line)
            elif not isinstance(value, dict):
                number += 1
                yield self.file.problem("invalid_json", "is not a JSON object", _FIX, number, line)
            elif self._tool is not None:
                for values, aside in self._tool.rows(value, self._answers):
                    number += 1
                    if values is None:
                        yield self.file.problem("invalid_json", "holds what is not a JSON object", _FIX, number, line)
                    else:
                        yield Row(number, line, values, aside)

    def _first(self) -> Mapping[str, Any] | None:
        """The first record, as far as it can be read."""
        return next((value for _, value in self._read() if isinstance(value, dict)), None)

    def _records(self) -> Iterator[tuple[int, Any]]:
        """Each record with its line; a problem in place of one that cannot be read."""
        if self._bulk:
            return self._documents()
        if self._dump:
            return ((line, _unpacked(value) if isinstance(value, dict) else value) for line, value in self._read())
        return self._read()

    def _read(self) -> Iterator[tuple[int, Any]]:
        """Each record or problem with its line."""
        if not self._document:
            return ((row.line or 0, row.values if isinstance(row, Row) else row) for row in self._line_rows())
        return self._items()

    def _items(self) -> Iterator[tuple[int, Any]]:
        with self.file.open()[1] as stream:
            yield from JsonText(stream, self.file.name).records()

    def _line_rows(self) -> Iterator[Row | Problem]:
        """Each line that is not blank, as a row of its own."""
        number = 0
        counted_bytes, stream = self.file.open()
        with stream:
            for line, raw in enumerate(byte_lines(stream, self.file.name), 1):
                if not raw.strip():
                    continue
                number += 1
                try:
                    value = json.loads(raw.decode("utf-8"), object_pairs_hook=unique)
                except UnicodeDecodeError:
                    yield self.file.problem("wrong_encoding", "is not UTF-8 text", USE_ENCODING, number, line)
                    continue
                except NotJSON as error:
                    message = f"invalid JSON ({error})"
                    yield self.file.problem("invalid_json", message, "give each key once", number, line)
                    continue
                except (ValueError, RecursionError) as error:
                    at = f"wrong at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
                    message = f"invalid JSON ({at or 'a number too long, or nested too deep'})"
                    yield self.file.problem("invalid_json", message, _FIX, number, line)
                    continue
                if isinstance(value, dict):
                    yield Row(number, line, value)
                else:
                    yield self.file.problem("invalid_json", "is not a JSON object", _FIX, number, line)
            self.file.prove(number, counted_bytes.finish().filled, "row")

    def _documents(self) -> Iterator[tuple[int, Any]]:
        """What a bulk request indexes: each line that says so is followed by the document, unless it deletes one."""
        action: Mapping[str, Any] | None = None
        line = 0
        for line, value in self._read():
            if action is None and isinstance(value, dict) and (name := action_of(value)):
                action = None if name == "delete" else value
                continue
            if action is not None and isinstance(value, dict):
                name = action_of(action) or ""
                document = value.get("doc", value) if name == "update" else value
                value = _unpacked({**action[name], "_source": document})
            action = None
            yield line, value
        if action is not None:
            message, fix = "says what to do with a document, and none follows", "add the document on the next line"
            yield line, self.file.problem("invalid_json", message, fix, line, line)


def action_of(record: Mapping[str, Any]) -> str | None:
    """What a line of a bulk request says to do with the document on the next; null for other lines."""
    name = next(iter(record), None)
    return name if len(record) == 1 and name in ACTIONS and isinstance(record[name], Mapping) else None


def _is_hit(record: Mapping[str, Any]) -> bool:
    return isinstance(record.get("_source"), Mapping)


def _unpacked(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document of a hit, with the id that the index has it under."""
    source = record.get("_source")
    if not isinstance(source, Mapping):
        return record
    return {**source, "_id": record["_id"]} if "_id" in record and "_id" not in source else source
