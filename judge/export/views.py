"""Views of the labels as tables: Arrow tables out of windows, for Parquet files.

sentence-transformers reads columns by order and takes every column but `label`, `labels`, `score` and `scores` for a
text: its views hold nothing else.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from judge.export.chosen import Chosen
from judge.export.query_batches import Window


@dataclass
class Work:
    """What a view needs beyond a window, and what it notes."""

    chosen: Chosen
    unused: Counter[str] = field(default_factory=Counter)
    """Rows that were chosen and are in no record, by reason."""


Made = tuple[Any, Any]
"""An Arrow table, and the split of each of its rows: an array of shape (rows,)."""


@dataclass(frozen=True, kw_only=True)
class View:
    """One view: what it makes of a window."""

    name: str
    help: str
    """What a record is, for a dataset's card."""
    make: Callable[[Window, Work], Made]
    need_text: bool
    labels: tuple[str, ...] = ()
    """Columns of the labels that it reads."""
    rows: bool = True
    """Whether it has a record for each row; else of groups of rows."""
    opposes: bool = False
    """Whether it sets rows against each other: then it looks at graded rows that are left out, too."""
    firsts: bool = False
    """Whether it has a record for each candidate: then `Window.first` marks the row that stands for it."""
    ids: tuple[str, str, str] | None = None
    """SQL of its columns of query id, candidate id and grade, where it names its rows."""
