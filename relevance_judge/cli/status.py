"""`judge status`: what a run holds."""

from pathlib import Path
from typing import Annotated

import typer

from relevance_judge.cli.options import Json
from relevance_judge.cli.output import show, show_json, show_summary


def status(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory, finished or not.")],
    json: Json = False,
) -> None:
    """Show a run's counts by status and grade, also while it is being written.

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
