"""`judge review`: a local page for deciding on flagged labels."""

import getpass
from pathlib import Path
from typing import Annotated

import typer

from relevance_judge.cli.output import show


def review(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run that `judge audit` has flagged.")],
    author: Annotated[
        str | None, typer.Option("--author", metavar="NAME", help="Who decides; your login name unless given.")
    ] = None,
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="0 takes a free one.")] = 0,
) -> None:
    """Serve a page on this machine where flagged labels are decided with the keyboard. Ctrl-C ends it.

    \b
    Example:
      judge review runs/monday --author Ana
    """
    from audit.review.page import Review, serve
    from judge.errors import InputError
    from judge.run.store import Run

    if author is None:
        try:
            author = getpass.getuser()
        except (KeyError, OSError):
            raise InputError("--author is missing", "say who decides: --author NAME") from None
    opened = Review(Run.open(run), author)
    server, address = serve(opened, port)
    with server:
        show(f"{len(opened.items):,} flagged pairs; open {address}")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            show("", "stopped; every decision is in the run")
