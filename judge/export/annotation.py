"""Pairs for tools in which people annotate: a grade as a suggestion, by whoever gave it.

Formats of such tools are JSON arrays with one pair a line.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from pathlib import Path

from judge.export.chosen import Chosen
from judge.export.joined_run import fingerprints_of_people
from judge.export.lines import Key, Line, LineFormat, columns
from judge.export.query_batches import Window
from judge.export.suggestion import Suggestion
from judge.run.decisions import Decision

HEAD, BETWEEN, FOOT = "[\n", ",\n", "\n]\n"


def array_of(lines: Iterable[str]) -> str:
    """Records as a JSON array."""
    return HEAD + BETWEEN.join(lines) + FOOT


def record_lines(record: Callable[[Suggestion], str], read: Callable[[Path], Iterator[Key]]) -> LineFormat:
    """A format of an annotation tool, of what makes its record of a suggestion and what reads a file of them."""

    def write(window: Window, chosen: Chosen) -> Iterator[Line]:
        return (Line(record(found), split, (key,)) for found, split, key in _suggestions(window, chosen))

    return LineFormat(write, read, HEAD, BETWEEN, FOOT, labels=("fingerprint",))


def shown(candidate: Mapping[str, str | None] | None, fields: Iterable[str], key: str) -> str:
    """A candidate's fields for eyes, one a line; its id where it has none."""
    found = candidate or {}
    return "\n".join(f"{name}: {found[name]}" for name in fields if found.get(name)) or key


def _who(label: str, people: Set[str], confidence: float, decision: Decision | None) -> str:
    """Whose grade it is. What people gave or decided has no confidence, nor has a judge's grade that came alone.

    `label` is the label's fingerprint, `people` those of labels that people gave.
    """
    if decision is not None and decision.grade is not None:
        return decision.author if decision.source == "judge" else "people"
    return "people" if label in people and confidence != confidence else f"judge {label}"


_READ = ("query_id", "query", "candidate_id", "candidate", "fingerprint")


def _suggestions(window: Window, chosen: Chosen) -> Iterator[tuple[Suggestion, int, Key]]:
    """The rows of a window, each with its split and its key."""
    sure, settled, people = window.confidence.tolist(), chosen.decisions.settled, fingerprints_of_people(chosen.run)
    for at, (query_id, query, key, candidate, label, grade, split) in enumerate(columns(window, *_READ)):
        text, score = shown(candidate, chosen.fields, key), sure[at] if sure[at] == sure[at] else None
        author = _who(label, people, sure[at], settled.get((query_id, key)))
        yield Suggestion(query_id, query, key, text, grade, author, score), split, (query_id, key, grade)
