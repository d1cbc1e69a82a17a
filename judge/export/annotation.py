"""Pairs for tools in which people annotate: Label Studio tasks and Argilla records, a grade as a suggestion.

Both are JSON arrays with one pair a line, as Label Studio's import and Argilla's `Dataset.records.from_json` read them.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge.export.chosen import Chosen
from judge.export.lines import Key, Line, LineFormat, columns
from judge.export.query_batches import Window

HEAD, BETWEEN, FOOT = "[\n", ",\n", "\n]\n"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A grade that is suggested for a pair."""

    query_id: str
    query: str
    candidate_id: str
    candidate: str
    """What people read of it."""
    grade: int
    author: str
    score: float | None
    """In [0, 1]; null where there is none, as of what people gave."""

    def as_task(self, more: Mapping[str, Any] | None = None) -> str:
        """A Label Studio task, its prediction a choice named `grade` on `query`; `more` joins its data."""
        prediction: dict[str, Any] = {
            "model_version": self.author,
            "result": [
                {"from_name": "grade", "to_name": "query", "type": "choices", "value": {"choices": [str(self.grade)]}}
            ],
        }
        if self.score is not None:
            prediction["score"] = self.score
        data = {"query_id": self.query_id, "query": self.query, "candidate_id": self.candidate_id}
        data["candidate"] = self.candidate
        return _line({"data": data | dict(more or {}), "predictions": [prediction]})

    def as_record(self, fields: Mapping[str, str] | None = None, metadata: Mapping[str, Any] | None = None) -> str:
        """An Argilla record with a suggestion for the question `grade`, and with further fields and metadata."""
        suggestion: dict[str, Any] = {"value": str(self.grade), "agent": self.author}
        if self.score is not None:
            suggestion["score"] = self.score
        record = {
            "id": json.dumps([self.query_id, self.candidate_id], ensure_ascii=False),
            "fields": {"query": self.query, "candidate": self.candidate, **(fields or {})},
            "metadata": {"query_id": self.query_id, "candidate_id": self.candidate_id, **(metadata or {})},
            "suggestions": {"grade": suggestion},
        }
        return _line(record)


def shown(candidate: Mapping[str, str | None] | None, fields: Iterable[str], key: str) -> str:
    """A candidate's fields for eyes, one a line; its id where it has none."""
    found = candidate or {}
    return "\n".join(f"{name}: {found[name]}" for name in fields if found.get(name)) or key


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False)


def _who(chosen: Chosen, confidence: float, pair: tuple[str, str]) -> str:
    """Whose grade it is. What people gave or decided has no confidence, nor has a judge's grade that came alone."""
    decided = chosen.decisions.settled.get(pair)
    own = decided is None or decided.grade is None or decided.source == "judge"
    judge = confidence == confidence or (own and not chosen.run.manifest.by_people)
    return f"judge {chosen.run.manifest.fingerprint}" if judge else "people"


_READ = ("query_id", "query", "candidate_id", "candidate")


def _label_studio(window: Window, chosen: Chosen) -> Iterator[Line]:
    return (Line(found.as_task(), split, (key,)) for found, split, key in _suggestions(window, chosen))


def _read_label_studio(path: Path) -> Iterator[Key]:
    for task in _records(path):
        choice = task["predictions"][0]["result"][0]["value"]["choices"][0]
        yield task["data"]["query_id"], task["data"]["candidate_id"], int(choice)


def _argilla(window: Window, chosen: Chosen) -> Iterator[Line]:
    return (Line(found.as_record(), split, (key,)) for found, split, key in _suggestions(window, chosen))


def _suggestions(window: Window, chosen: Chosen) -> Iterator[tuple[Suggestion, int, Key]]:
    """The rows of a window, each with its split and its key."""
    sure = window.confidence.tolist()
    for at, (query_id, query, key, candidate, grade, split) in enumerate(columns(window, *_READ)):
        text, score = shown(candidate, chosen.fields, key), sure[at] if sure[at] == sure[at] else None
        found = Suggestion(query_id, query, key, text, grade, _who(chosen, sure[at], (query_id, key)), score)
        yield found, split, (query_id, key, grade)


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


LABEL_STUDIO = LineFormat(_label_studio, _read_label_studio, HEAD, BETWEEN, FOOT)
ARGILLA = LineFormat(_argilla, _read_argilla, HEAD, BETWEEN, FOOT)
