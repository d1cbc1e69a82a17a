"""How far long work has come."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


@contextmanager
def progress(what: str, total: int, done: int = 0, *, shown: bool | None = None) -> Iterator[Callable[[int], None]]:
    """A bar with rate and time left on standard error; unless told otherwise, nothing where that is no terminal."""
    with _bars(shown) as bars:
        task = bars.add_task(what, total=total, completed=done)
        yield lambda count: bars.advance(task, count)


@contextmanager
def stages(*, shown: bool | None = None) -> Iterator[Callable[[str, int, int], None]]:
    """Bars of stages that are named when they begin: told the stage, how much of it is done, and of how much."""
    with _bars(shown) as bars:
        tasks = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=of)
            bars.update(tasks[what], completed=done)

        yield tell


def _bars(shown: bool | None) -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.1f}/s" if task.speed else "–/s")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    hidden = not (sys.stderr.isatty() if shown is None else shown)
    return Progress(*columns, console=Console(stderr=True), disable=hidden, speed_estimate_period=120)
