"""Pairs for tools in which people annotate: a grade as a suggestion, by whoever gave it.

Formats of such tools are JSON arrays with one pair a line.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from judge.export.chosen import Chosen
from judge.export.lines import Key, Line, LineFormat, columns
from judge.export.query_batches import Window
from judge.export.suggestion import Suggestion

HEAD, BETWEEN, FOOT = "[\n", ",\n", "\n]\n"


def array_of(lines: Iterable[str]) -> str:
    """Records as a JSON array."""
    return HEAD + BETWEEN.join(lines) + FOOT


def record_lines(record: Callable[[Suggestion], str], read: Callable[[Path], Iterator[Key]]) -> LineFormat:
    """A format of an annotation tool, of what makes its record of a suggestion and what reads a file of them."""

    def write(window: Window, chosen: Chosen) -> Iterator[Line]:
        return (Line(record(found), split, (key,)) for found, split, key in _suggestions(window, chosen))

    return LineFormat(write, read, HEAD, BETWEEN, FOOT)


def shown(candidate: Mapping[str, str | None] | None, fields: Iterable[str], key: str) -> str:
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


def _suggestions(window: Window, chosen: Chosen) -> Iterator[tuple[Suggestion, int, Key]]:
    """The rows of a window, each with its split and its key."""
    sure = window.confidence.tolist()
    for at, (query_id, query, key, candidate, grade, split) in enumerate(columns(window, *_READ)):
        text, score = shown(candidate, chosen.fields, key), sure[at] if sure[at] == sure[at] else None
        found = Suggestion(query_id, query, key, text, grade, _who(chosen, sure[at], (query_id, key)), score)
        yield found, split, (query_id, key, grade)
