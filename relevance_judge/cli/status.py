"""`judge status`: what a run holds."""

from pathlib import Path

import click

from relevance_judge.cli.options import json_option, run_argument
from relevance_judge.cli.output import show, show_json, show_summary


@click.command()
@run_argument
@json_option
def status(run: Path, json: bool) -> None:
    """Show a run's counts by status and grade. The run may still be in progress.

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
    state = "done" if summary.done else "not done"
    show("", f"{state}: {summary.run}, judge {summary.judge}, guideline {summary.guideline}")
    show(f"fingerprint {summary.fingerprint}")
