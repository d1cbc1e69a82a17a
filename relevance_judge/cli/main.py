"""`judge`: the command, and what it does with errors."""

import io
import os
import sys

import click

from judge import __version__
from judge.errors import JudgeError, RunError
from relevance_judge.cli.verbs import STAGES, Verbs

app = Verbs(
    name="judge",
    help="Grade query-candidate pairs with an LLM judge, see how far its labels can be trusted, and export them.",
    epilog="`judge VERB --help` shows every option, with an example. docs/cli.md: completion in your shell.",
    no_args_is_help=True,
    context_settings={"show_default": True},
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=lambda context, _, given: _version(context) if given else None,
            help="Show the version and exit.",
        )
    ],
)
SHOWN = 4
"""Options that a message names."""
WRITTEN = ("out", "report")
"""Options of files that are written."""
__all__ = ["STAGES", "app", "main"]


def _version(context: click.Context) -> None:
    from relevance_judge.cli.output import show

    show(f"judge {__version__}")
    context.exit()


def main() -> None:
    """Run the command line. Errors end it with two lines on standard error and their exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a letter gets its number, not an error.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    from relevance_judge.cli.output import Notes

    try:
        with Notes():
            code = app.main(prog_name="judge", standalone_mode=False)
    except click.Abort as error:
        # By which click says that a key stopped it, or that an input ended where it should not.
        code = _failed(error.__cause__ or KeyboardInterrupt())
    except Exception as error:
        code = _failed(error)
    sys.exit(code)


def _homes(error: click.ClickException) -> str:
    """The options that a file which stands alone may belong to: those that name files to read and were not given."""
    if not isinstance(error, click.UsageError) or error.ctx is None or "extra argument" not in error.message:
        return ""
    given = click.core.ParameterSource.COMMANDLINE
    free = [
        parameter.opts[0]
        for parameter in sorted(error.ctx.command.params, key=lambda parameter: not parameter.required)
        if isinstance(parameter, click.Option) and isinstance(parameter.type, click.Path)
        if parameter.name not in WRITTEN and error.ctx.get_parameter_source(parameter.name or "") is not given
    ]
    return f"name a file by its option, {' or '.join(free[:SHOWN])}; " if free else ""


def _failed(error: BaseException) -> int:
    """Tell what went wrong; returns the exit code."""
    from relevance_judge.cli.interrupts import stopped, told_of, without_room
    from relevance_judge.cli.output import show

    if isinstance(error, click.ClickException):
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            error.show()  # the whole help
            return error.exit_code
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "judge"
        fix = f"{_homes(error)}`{where} --help` shows what can be given"
        show(f"error: {error.format_message()}", f"  fix: {fix}", err=True)
        return error.exit_code
    if isinstance(error, JudgeError):
        # What differs between two runs is a list; the words of a user's file begin no line.
        lines = error.message.split("\n") if isinstance(error, RunError) else [error.message]
        lines += [f"  fix: {error.hint}"] if error.hint else []
        show(f"error: {lines[0]}", *lines[1:], err=True)
        return error.exit_code
    if os.environ.get("JUDGE_DEBUG"):
        raise error
    if stopped(error):
        show("stopped", err=True)
        return 130
    what = told_of(error) if without_room(error) else f"{type(error).__name__}: {error}"
    fix = "this is a defect of judge; JUDGE_DEBUG=1 shows where, please report it"
    if without_room(error):
        fix = "see that disk and memory have room and the file can be read and written"
    show(f"error: {what}", f"  fix: {fix}", err=True)
    return 1


if __name__ == "__main__":
    main()
