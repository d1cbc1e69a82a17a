"""How a command ends that was stopped, or for which there was no room. DuckDB has words of its own for both."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from relevance_judge.cli.output import show


def stopped(error: BaseException) -> bool:
    """Whether somebody stopped the work, with Ctrl-C."""
    # DuckDB's queries end so, for lack of a better class.
    said = isinstance(error, RuntimeError) and str(error) == "Query interrupted"
    return isinstance(error, KeyboardInterrupt) or said or _of_duckdb(error, "InterruptException")


def without_room(error: BaseException) -> bool:
    """Whether the disk or memory was full, or a file could not be read or written."""
    return isinstance(error, OSError) or _of_duckdb(
        error, "IOException", "TransactionException", "OutOfMemoryException"
    )


def told_of(error: BaseException) -> str:
    """What the system said of an error that `without_room` knows, and of which file, without a library's words."""
    said = str(error)
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (found := re.search(r'"errno":\s*"(\d+)"', said)):
        number = int(found[1])
    if number is None:
        return said
    file = error.filename if isinstance(error, OSError) else None
    if file is None and (named := re.search(r'file \\?"([^"\\]+)', said)):
        file = named[1]
    return f"{file}: {os.strerror(number)}" if file else os.strerror(number)


def _of_duckdb(error: BaseException, *names: str) -> bool:
    duckdb = sys.modules.get("duckdb")  # where nothing imported it, nothing raised its errors
    return duckdb is not None and isinstance(error, tuple(getattr(duckdb, name) for name in names))


@contextmanager
def stoppable(then: str) -> Iterator[None]:
    """Say what to do next where somebody stops the work, and end with exit code 130.

    Raises:
        click.exceptions.Exit: It was stopped.
    """
    try:
        yield
    except (KeyboardInterrupt, Exception) as error:
        if not stopped(error):
            raise
        show(f"stopped; {then}", err=True)
        raise click.exceptions.Exit(130) from None
