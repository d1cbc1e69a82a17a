"""`judge`: the command, and what it does with errors."""

import os
import sys

import typer

from cli.agree import agree
from cli.calibrate import calibrate
from cli.doctor import doctor
from cli.export import export
from cli.finetune import finetune
from cli.guideline import guideline
from cli.importing import import_
from cli.label import label
from cli.output import printable
from cli.status import status
from cli.validate import validate
from judge.errors import JudgeError

app = typer.Typer(
    name="judge",
    help="Grade query-candidate pairs with an LLM judge, compare the labels with people's, export them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for verb in (doctor, guideline, validate, finetune, label, calibrate, status, agree, export):
    app.command()(verb)
app.command("import")(import_)


def main() -> None:
    """Run the command line. Errors end it with two lines on standard error and their exit code."""
    try:
        app()
    except JudgeError as error:
        # The words of a user's file are in it: they must not move the terminal's cursor.
        hint = f"  fix: {printable(error.hint)}\n" if error.hint else ""
        sys.stderr.write(f"error: {printable(error.message)}\n{hint}")
        sys.exit(error.exit_code)
    except Exception as error:
        if os.environ.get("JUDGE_DEBUG"):
            raise
        fix = "this is a defect of judge; JUDGE_DEBUG=1 shows where, please report it"
        sys.stderr.write(f"error: {type(error).__name__}: {error}\n  fix: {fix}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
