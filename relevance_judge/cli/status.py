"""`judge status`: what a run holds."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from judge.records import counted
from relevance_judge.cli.options import json_option, run_argument
from relevance_judge.cli.output import duration, show, show_json, show_summary

if TYPE_CHECKING:
    from judge.run.summary import Summary

SHOWN = 12
"""Intervals that are listed; --json has all."""


@click.command()
@run_argument
@json_option
def status(run: Path, json: bool) -> None:
    """Show a run's counts by status and grade. The run may still be in progress.

    Of an unfinished run, it also shows which rows are open, which stretches failed, and how long the rest will take.

    \b
    Example:
      judge status runs/monday
    """
    from judge.run.store import Run
    from judge.run.summary import summarise

    summary = summarise(Run.open(run))
    if json:
        show_json({**summary.model_dump(), "done": summary.done})
        return
    show_summary(summary)
    _show_work(summary)
    state = "done" if summary.done else "not done"
    show("", f"{state}: {summary.run}, judge {summary.judge}, guideline {summary.guideline}")
    show(f"fingerprint {summary.fingerprint}")
    if summary.done and summary.stretches is not None and summary.finished is None:
        show("", f"every row has a label; to check and finish the run: judge finish {shlex.quote(summary.run)}")


def _show_work(summary: "Summary") -> None:
    """Of an unfinished run, what is open, what failed, and how fast it goes."""
    if not summary.uncovered:
        return
    if rate := summary.rows_per_second:
        left = duration((summary.rows - summary.labelled) / rate)
        show("", f"rows per second of all workers, lately: {rate:,.1f}; the rest at that rate: {left}")
    stretches = "" if summary.stretches is None else f", of a plan of {counted(summary.stretches, 'stretch')}"
    show("", f"rows without a label, by position{stretches}:")
    show(*(f"  {start:,} to {end:,}" for start, end in summary.uncovered[:SHOWN]))
    if len(summary.uncovered) > SHOWN:
        show(f"  … and {counted(len(summary.uncovered) - SHOWN, 'more interval')} (--json has all)")
    for each in summary.failed:
        show("", f"failed {each.tries} times: rows {each.start:,} to {each.end:,}: {each.error}")
