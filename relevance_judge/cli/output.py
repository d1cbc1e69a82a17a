"""What people see: tables on standard output, progress on standard error, quiet where nobody looks."""

import json
import logging
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from judge.notes import LOG
from judge.text import one_line

if TYPE_CHECKING:
    from judge.run.summary import Summary

NARROW = 12
"""Columns of a terminal in which words are not broken, as long as the others leave room."""
STRANGE = 0.5
"""A judge that knows its grades puts far less than this share of its probability on other words."""


def show(*lines: str, err: bool = False) -> None:
    """Lines on standard output, or on standard error; each stays one line, whatever words of others are in it."""
    click.echo("\n".join(map(one_line, lines)), err=err)


class Notes(logging.Handler):
    """Shows what was decided without being asked, `judge.notes`, on standard error: each once."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: set[str] = set()

    def __enter__(self) -> None:
        LOG.addHandler(self)

    def __exit__(self, *error: object) -> None:
        LOG.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Show one."""
        text = record.getMessage()
        if text not in self._shown:
            self._shown.add(text)
            show(f"note: {text}", err=True)


def show_json(value: Any) -> None:
    """One JSON document. What a terminal could obey in its texts is written as JSON's escapes: the same document."""
    from judge.files import dump_json

    text = dump_json(value)
    click.echo("".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text))


def show_source(text: str) -> None:
    """A text as it is, for a file; line by line as `show` does where a terminal shows it."""
    if sys.stdout.isatty():
        show(*text.removesuffix("\n").split("\n"))
    else:
        click.echo(text, nl=False)


def show_table(
    rows: Sequence[Sequence[str]],
    head: Sequence[str] = (),
    right: Sequence[int] = (),
    whole: Sequence[int] = (),
    *,
    stack: int = 1,
) -> None:
    """A plain table; the columns in `right` are set to the right, and neither they nor the words of those in `whole`
    are broken. At a terminal, the first `stack` columns stand one below another, so that the others have room. Never
    cut: when piped there is no width to fit, and a terminal that is too narrow breaks the lines."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    fits = sys.stdout.isatty()
    stacked = stack if fits else 1
    lines = [["\n  ".join(map(one_line, row[:stacked])), *map(one_line, row[stacked:])] for row in rows]
    names = [one_line(", ".join(head[:stacked])), *map(one_line, head[stacked:])] if head else []
    columns = list(zip(*([names] if head else []), *lines, strict=True))
    kept = [
        "cells" if i in right else "words" if i in whole else "" for i in range(stacked - 1, stacked - 1 + len(columns))
    ]
    console = Console(width=None if fits else 10_000, highlight=False)
    widths = _widths(columns, kept, console.width)
    console.width = max(console.width, sum(widths) + 2 * len(widths))
    table = Table(box=None, show_header=bool(head), header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name, keep, width in zip(names or [""] * len(columns), kept, widths, strict=True):
        justify: Any = "right" if keep == "cells" else "left"
        table.add_column(Text(name), justify=justify, no_wrap=not fits or keep == "cells", overflow="fold", width=width)
    for line in lines:
        # Text, not markup: the cells can hold words of shoppers and sellers.
        table.add_row(*map(Text, line))
    console.print(table)


def _widths(columns: Sequence[Sequence[str]], kept: Sequence[str], room: int) -> list[int]:
    """The width of each column: what it holds, the widest narrowed until all fit the room, and none to less than what
    is not to be broken in it, its cells or its words; other words are broken from `NARROW` on."""
    from rich.cells import cell_len

    widths, least = [], []
    for cells, keep in zip(columns, kept, strict=True):
        widths.append(max(cell_len(line) for cell in cells for line in cell.split("\n")))
        longest = max((cell_len(word) for cell in cells for word in cell.split()), default=0)
        least.append(widths[-1] if keep == "cells" else longest if keep == "words" else min(longest, NARROW))
    while sum(widths) + 2 * len(widths) > room and widths != least:
        over = sum(widths) + 2 * len(widths) - room
        widest = max((i for i in range(len(widths)) if widths[i] > least[i]), key=widths.__getitem__)
        others = max((w for i, w in enumerate(widths) if i != widest and w > least[i]), default=0)
        widths[widest] -= min(over, widths[widest] - least[widest], max(widths[widest] - others, 1))
    return widths


def show_summary(summary: "Summary") -> None:
    """A run's counts as a table."""
    rows = [("input rows", f"{summary.rows:,}", "")]
    rows += [(status, f"{count:,}", _share(count, summary.rows)) for status, count in summary.status.items()]
    if summary.labelled < summary.rows:
        rest = summary.rows - summary.labelled
        rows.append(("not labelled yet", f"{rest:,}", _share(rest, summary.rows)))
    graded = summary.status["graded"]
    for grade, count in sorted(summary.grades.items(), key=lambda item: -int(item[0])):
        rows.append((f"grade {grade} {summary.grade_names[grade]}", f"{count:,}", _share(count, graded)))
    if summary.mean_confidence is not None:
        rows.append(("mean confidence", f"{summary.mean_confidence:.3f}", ""))
    if summary.without_probabilities:
        rows.append(("graded without probabilities", f"{summary.without_probabilities:,}", ""))
    rows += usage_rows(summary.usage)
    if summary.judge_seconds and summary.pairs_per_second:
        rows.append(("judging", f"{summary.judge_seconds:,.1f} s", ""))
        rows.append(("pairs per second", f"{summary.pairs_per_second:,.1f}", ""))
    rows += [(f"{name} cut to budget", f"{count:,}", "") for name, count in summary.cut.items()]
    show_table(rows, right=(1, 2))
    if (outside := summary.mean_outside_mass or 0.0) > STRANGE:
        show(f"  {outside:.0%} of the judge's probability is on other words than grades: is it the right model?")
    for reason, count in summary.reasons.items():
        show(f"  without a grade: {count:,} × {reason}")


def usage_rows(usage: Mapping[str, int | float | None] | None) -> list[tuple[str, str, str]]:
    """What a paid endpoint's answers took, as rows of a table."""
    if not usage:
        return []
    names = {"requests": "requests", "prompt_tokens": "tokens in", "completion_tokens": "tokens out"}
    rows = [(what, f"{usage[name] or 0:,.0f}", "") for name, what in names.items()]
    if usage["unmetered"]:
        rows.append(("requests without a token count", f"{usage['unmetered']:,.0f}", ""))
    return rows + ([] if usage["cost"] is None else [("cost", f"{usage['cost']:,.4f}", "")])


def show_left_out(kinds: Mapping[str, int]) -> None:
    """What is wrong with grades and rows of ratings that were skipped."""
    for what, count in kinds.items():
        show(f"  left out: {count:,} × {what.replace('_', ' ')}")


def show_note(text: str | None) -> None:
    """A note, where there is one."""
    if text:
        show(f"note: {text}")


def map_options(mapping: Mapping[str, Sequence[str]]) -> str:
    """The `--map` options of a command that is shown, each after a space, quoted for a shell.

    The other files of the command may call ids of products, and locales, by our name: it is taken where they do.
    """
    own = {name: [*mapping[name], name] for name in ("candidate_id", "locale") if name in mapping}
    pairs = (f"{name}={column}" for name, columns in {**mapping, **own}.items() for column in dict.fromkeys(columns))
    return "".join(f" --map {shlex.quote(pair)}" for pair in pairs)


def duration(seconds: float) -> str:
    """A time for people: `2 h 05 min`, `3 min 20 s` or `4.2 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else ""


def say(text: str) -> None:
    """A word on standard error, where somebody looks."""
    if sys.stderr.isatty():
        show(text, err=True)
