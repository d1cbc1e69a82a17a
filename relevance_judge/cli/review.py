"""`judge review`: a local page for deciding on flagged labels."""

import getpass
from pathlib import Path

import click

from relevance_judge.cli.options import flagged_run_argument
from relevance_judge.cli.output import show


@click.command()
@flagged_run_argument
@click.option("--author", metavar="NAME", help="Who decides; your login name unless given.")
@click.option("--port", metavar="N", type=click.IntRange(0, 65535), default=0, help="The port; 0 picks a free one.")
def review(run: Path, author: str | None, port: int) -> None:
    """Serve a local page for deciding on flagged labels. It works with the keyboard; Ctrl-C ends it.

    \b
    Example:
      judge review runs/monday --author Ana
    """
    from audit.review.page import serve
    from audit.review.reviewing import Review
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
        if opened.report.is_file():
            show(f"the audit's report, with links to each: {address}report")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            show("", "stopped; every decision is in the run")
