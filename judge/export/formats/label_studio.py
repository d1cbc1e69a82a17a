"""Label Studio tasks, the grade as a prediction."""

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


def _task(found: Suggestion) -> str:
    prediction: dict[str, Any] = {
        "model_version": found.author,
        "result": [
            {"from_name": "grade", "to_name": "query", "type": "choices", "value": {"choices": [str(found.grade)]}}
        ],
    }
    if found.score is not None:
        prediction["score"] = found.score
    data: dict[str, Any] = {"query_id": found.query_id, "query": found.query, "candidate_id": found.candidate_id}
    data["candidate"] = found.candidate
    if found.against:
        against = found.against
        data |= {"label": against.label, "types": list(against.types), "evidence": against.evidence}
    return json.dumps({"data": data, "predictions": [prediction]}, ensure_ascii=False)


def _read(path: Path) -> Iterator[Key]:
    return read_keys(JsonRows(File(path), document=True), "query_id")


FORMAT = Format(
    name="label-studio",
    help="tasks, the grade as a prediction of a choice named `grade` on a text named `query`",
    opened_by="import as JSON",
    suffix=".json",
    write=lines_of(record_lines(_task, _read)),
    read=lambda path: by_id(_read(path)),
    order=100,
    suggestion=_task,
)
