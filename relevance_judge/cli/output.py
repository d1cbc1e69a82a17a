"""What people see: tables on standard output, progress on standard error, quiet where nobody looks."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from judge.text import one_line

if TYPE_CHECKING:
    from judge.run.summary import Summary

STRANGE = 0.5
"""A judge that knows its grades puts far less than this share of its probability on other words."""


def show(*lines: str, err: bool = False) -> None:
    """Lines on standard output, or on standard error; each stays one line, whatever words of others are in it."""
    click.echo("\n".join(map(one_line, lines)), err=err)


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


def show_table(rows: Sequence[Sequence[str]], head: Sequence[str] = (), right: Sequence[int] = ()) -> None:
    """A plain table; the columns in `right` are set to the right. Never cut: when piped there is no width to fit."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=bool(head), header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for index in range(len(rows[0]) if rows else len(head)):
        label = one_line(head[index]) if head else ""
        table.add_column(
            Text(label), justify="right" if index in right else "left", no_wrap=not sys.stdout.isatty(), overflow="fold"
        )
    for row in rows:
        # Text, not markup: the cells can hold words of shoppers and sellers.
        table.add_row(*(Text(one_line(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else 10_000, highlight=False).print(table)


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


def show_ends(occurring: Iterable[int], values: Sequence[int]) -> None:
    """A note where no rating is the lowest or the highest grade: the file may be on another scale."""
    from judge.tables.scale import ends_note

    if note := ends_note(occurring, values):
        show(f"note: {note}")


def reading_notes(missing_fields: Sequence[str], passed_over: Mapping[str, str]) -> list[str]:
    """What is no error of the input, and may still be a surprise: texts that no column brings, columns not read."""
    notes = [f"{name} is read from {columns}" for name, columns in passed_over.items()]
    if missing_fields:
        fix = f"a column of another name is read with --map {missing_fields[0]}=COLUMN"
        notes.append(f"fields of the guideline found nowhere: {', '.join(missing_fields)} ({fix})")
    return notes


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else ""


def say(text: str) -> None:
    """A word on standard error, where somebody looks."""
    if sys.stderr.isatty():
        show(text, err=True)


def tenths() -> Callable[[str, int, int], None]:
    """Say how far the slow stages are, at every tenth."""
    told: dict[str, int] = {}

    def progress(what: str, done: int, of: int) -> None:
        tenth = done * 10 // max(of, 1)
        if tenth > told.get(what, 0):
            told[what] = tenth
            say(f"{what}: {done:,} of {of:,}")

    return progress
