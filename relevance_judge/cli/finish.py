"""`judge finish`: a planned run, all of whose rows are labelled, is done."""

from pathlib import Path

import click

from relevance_judge.cli.options import json_option, run_argument
from relevance_judge.cli.output import show, show_json, show_summary


@click.command()
@run_argument
@json_option
def finish(run: Path, json: bool) -> None:
    """Check that a planned run has every label, and mark it finished.

    \b
    Example:
      judge finish runs/big
    """
    from judge.labelling.worker import finish_run, planned
    from judge.run.store import Run
    from judge.run.summary import summarise

    stored = Run.open(run)
    with stored.writing():
        finish_run(stored, planned(stored))
    summary = summarise(stored)
    if json:
        show_json({**summary.model_dump(), "done": summary.done})
        return
    show_summary(summary)
    show("", f"finished: {summary.run} (fingerprint {summary.fingerprint})")
