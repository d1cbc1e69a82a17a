"""Argilla records, the grade as a suggestion."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from judge.export.annotation import record_lines
from judge.export.formats import Format
from judge.export.lines import Key, lines_of
from judge.export.reading import by_id, read_keys
from judge.export.suggestion import Suggestion
from judge.tables.file import File
from judge.tables.json_rows import JsonRows


def _record(found: Suggestion) -> str:
    suggestion: dict[str, Any] = {"value": str(found.grade), "agent": found.author}
    if found.score is not None:
        suggestion["score"] = found.score
    fields = {"query": found.query, "candidate": found.candidate}
    metadata: dict[str, Any] = {"query_id": found.query_id, "candidate_id": found.candidate_id}
    if found.against:
        fields["evidence"] = found.against.evidence
        metadata["label"] = found.against.label
    record = {
        "id": json.dumps([found.query_id, found.candidate_id], ensure_ascii=False),
        "fields": fields,
        "metadata": metadata,
        "suggestions": {"grade": suggestion},
    }
    return json.dumps(record, ensure_ascii=False)


def _read(path: Path) -> Iterator[Key]:
    return read_keys(JsonRows(File(path), document=True), "query_id")


FORMAT = Format(
    name="argilla",
    help="records, the grade as a suggestion for the question `grade`",
    opened_by="`dataset.records.from_json(…)`",
    suffix=".json",
    write=lines_of(record_lines(_record, _read)),
    read=lambda path: by_id(_read(path)),
    order=110,
    suggestion=_record,
)
