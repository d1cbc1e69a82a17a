"""Labels for tools in which people annotate: Label Studio tasks and Argilla records, the grade as a suggestion."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from judge.export.chosen import Chosen
from judge.export.lines import Key, Line, LineFormat, columns
from judge.export.query_batches import Window


def _words(candidate: Mapping[str, str | None] | None, fields: tuple[str, ...], key: str) -> str:
    """A candidate's fields for eyes, one a line; its id where it has none."""
    found = candidate or {}
    return "\n".join(f"{name}: {found[name]}" for name in fields if found.get(name)) or key


def _who(chosen: Chosen, confidence: float, pair: tuple[str, str]) -> str:
    """Whose grade it is. What people gave or decided has no confidence, nor has a judge's grade that came alone."""
    decided = chosen.decisions.settled.get(pair)
    own = decided is None or decided.grade is None or decided.source == "judge"
    judge = confidence == confidence or (own and not chosen.run.manifest.by_people)
    return f"judge {chosen.run.manifest.fingerprint}" if judge else "people"


_READ = ("query_id", "query", "candidate_id", "candidate")


def _label_studio(window: Window, chosen: Chosen) -> Iterator[Line]:
    """Tasks whose prediction is a choice named `grade`."""
    sure = window.confidence.tolist()
    for at, (query_id, query, key, candidate, grade, split) in enumerate(columns(window, *_READ)):
        prediction: dict[str, Any] = {
            "model_version": _who(chosen, sure[at], (query_id, key)),
            "result": [
                {"from_name": "grade", "to_name": "query", "type": "choices", "value": {"choices": [str(grade)]}}
            ],
        }
        if sure[at] == sure[at]:
            prediction["score"] = sure[at]
        data = {"query_id": query_id, "query": query, "candidate_id": key}
        data["candidate"] = _words(candidate, chosen.fields, key)
        task = {"data": data, "predictions": [prediction]}
        yield Line(json.dumps(task, ensure_ascii=False), split, ((query_id, key, grade),))


def _read_label_studio(path: Path) -> Iterator[Key]:
    for task in _records(path):
        choice = task["predictions"][0]["result"][0]["value"]["choices"][0]
        yield task["data"]["query_id"], task["data"]["candidate_id"], int(choice)


def _argilla(window: Window, chosen: Chosen) -> Iterator[Line]:
    """Records as `Dataset.records.from_json` reads them, with a suggestion for the question `grade`."""
    sure = window.confidence.tolist()
    for at, (query_id, query, key, candidate, grade, split) in enumerate(columns(window, *_READ)):
        suggestion: dict[str, Any] = {"value": str(grade), "agent": _who(chosen, sure[at], (query_id, key))}
        if sure[at] == sure[at]:
            suggestion["score"] = sure[at]
        record = {
            "id": json.dumps([query_id, key], ensure_ascii=False),
            "fields": {"query": query, "candidate": _words(candidate, chosen.fields, key)},
            "metadata": {"query_id": query_id, "candidate_id": key},
            "suggestions": {"grade": suggestion},
        }
        yield Line(json.dumps(record, ensure_ascii=False), split, ((query_id, key, grade),))


def _read_argilla(path: Path) -> Iterator[Key]:
    for record in _records(path):
        about = record["metadata"]
        yield about["query_id"], about["candidate_id"], int(record["suggestions"]["grade"]["value"])


def _records(path: Path) -> Iterator[Any]:
    """The records of a JSON array that has one a line."""
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            if line.startswith("{"):
                yield json.loads(line.rstrip(",\n"))


LABEL_STUDIO = LineFormat(_label_studio, _read_label_studio, head="[\n", between=",\n", foot="\n]\n")
ARGILLA = LineFormat(_argilla, _read_argilla, head="[\n", between=",\n", foot="\n]\n")
