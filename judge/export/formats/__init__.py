"""Formats of an export: a module for each, which holds a `Format`. Help, documentation and checks are made of them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from judge.errors import InputError
from judge.export.chosen import Chosen
from judge.export.suggestion import Suggestion
from judge.export.views import View
from judge.export.written import WrittenView
from judge.registry import registered
from judge.run.decided import Decided


class ReadPair(NamedTuple):
    """A pair as a file of a format gives it back; null where the format does not hold it."""

    query_id: str | None
    query: str | None
    candidate_id: str | None
    grade: int | None


@dataclass(frozen=True)
class Output:
    """What a format writes, and where."""

    decisions: Decided
    path: Path
    """A file; a folder with splits, and for formats that always are one."""
    suffix: str
    rows: Chosen | None = None
    """The rows of a format of selected rows; null for one of every row."""

    @property
    def chosen(self) -> Chosen:
        """The selected rows."""
        assert self.rows is not None
        return self.rows

    def of_split(self, split: str) -> Path:
        """The file of a split: the only one, where no splits were asked for."""
        return self.path / f"{split}{self.suffix}" if self.chosen.selection.splits else self.path


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format that labels are written in."""

    name: str
    """What `--to` takes."""
    help: str
    """What it holds, in Markdown: for the table in docs/export.md."""
    opened_by: str
    """What reads it, in Markdown."""
    suffix: str
    """How the file of a split ends; empty for a folder."""
    write: Callable[[Output], WrittenView]
    """Write whole files, and read them back."""
    read: Callable[[Path], Iterator[ReadPair]] | None
    """The pairs that a file (or folder, where `folder`) of it holds; null where it holds no ids or no grades."""
    unread: str = ""
    """Why it cannot be read back, where it cannot."""
    order: int
    """Its place in lists."""
    folder: bool = False
    """Whether it is always a folder."""
    every_row: bool = False
    """Whether it holds every input row, so that nothing can be selected."""
    need_text: bool = False
    """Whether rows without any text of a candidate are left out."""
    options: frozenset[str] = frozenset()
    """Options of this format alone: `negatives`, `hard`, or `score` (with `pairs`), of a selection."""
    view: View | None = None
    """The same as a table, where the Hub gets one."""
    suggestion: Callable[[Suggestion], str] | None = None
    """A record of JSON for a pair to annotate, where it is a format of an annotation tool: the queue writes it too."""

    @property
    def file_suffix(self) -> str:
        """How the name of a lone file ends; empty for a folder."""
        return Path(f"all{self.suffix}").suffix


def formats() -> Mapping[str, Format]:
    """Every format by name, in the order of lists."""
    return registered(__name__, Format)


def find_format(name: str) -> Format:
    """The format of a name.

    Raises:
        InputError: There is none.
    """
    if name not in formats():
        raise InputError(f"--to {name}: there is no such format", f"name one of {', '.join(formats())}")
    return formats()[name]


def format_help() -> str:
    """The help of `--to`."""
    selected = [name for name, form in formats().items() if not form.every_row]
    every = [name for name, form in formats().items() if form.every_row]
    return f"{_listed(selected, 'or')}; {_listed(every, 'and')} hold every input row."


def suggestion_formats() -> dict[str, Callable[[Suggestion], str]]:
    """What makes a record of a suggestion, by the format of an annotation tool."""
    return {name: form.suggestion for name, form in formats().items() if form.suggestion is not None}


def _listed(names: list[str], word: str) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"
