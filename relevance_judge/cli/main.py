"""`judge`: the command, and what it does with errors."""

import io
import os
import sys

import typer

from judge.errors import JudgeError, RunError
from relevance_judge.cli.adjudicate import adjudicate
from relevance_judge.cli.aggregate import aggregate
from relevance_judge.cli.agree import agree
from relevance_judge.cli.audit import audit
from relevance_judge.cli.calibrate import calibrate
from relevance_judge.cli.decide import decide
from relevance_judge.cli.diff import diff
from relevance_judge.cli.doctor import doctor
from relevance_judge.cli.export import export
from relevance_judge.cli.finetune import finetune
from relevance_judge.cli.guideline import guideline
from relevance_judge.cli.importing import import_
from relevance_judge.cli.interrupts import stopped, without_room
from relevance_judge.cli.label import label
from relevance_judge.cli.output import show
from relevance_judge.cli.probe import probe
from relevance_judge.cli.queue import queue
from relevance_judge.cli.review import review
from relevance_judge.cli.status import status
from relevance_judge.cli.trace import trace
from relevance_judge.cli.validate import validate

app = typer.Typer(
    name="judge",
    help="Grade query-candidate pairs with an LLM judge, compare the labels with people's, export them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
VERBS = (
    *(doctor, guideline, validate, finetune, label, calibrate, status, trace, diff, agree, aggregate, probe),
    *(audit, adjudicate, queue, review, decide, export),
)
for verb in VERBS:
    app.command()(verb)
app.command("import")(import_)


def main() -> None:
    """Run the command line. Errors end it with two lines on standard error and their exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a letter gets its number, not an error.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except JudgeError as error:
        # What differs between two runs is a list; the words of a user's file begin no line.
        lines = error.message.split("\n") if isinstance(error, RunError) else [error.message]
        lines += [f"  fix: {error.hint}"] if error.hint else []
        show(f"error: {lines[0]}", *lines[1:], err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        if os.environ.get("JUDGE_DEBUG"):
            raise
        if stopped(error):
            show("stopped", err=True)
            sys.exit(130)
        what = str(error) if without_room(error) else f"{type(error).__name__}: {error}"
        fix = "this is a defect of judge; JUDGE_DEBUG=1 shows where, please report it"
        if without_room(error):
            fix = "see that disk and memory have room and the file can be read and written"
        show(f"error: {what}", f"  fix: {fix}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
