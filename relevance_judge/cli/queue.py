"""`judge queue`: what people should look at, most valuable first."""

from pathlib import Path
from typing import Annotated

import typer

from relevance_judge.cli.options import Json
from relevance_judge.cli.output import show, show_json


def queue(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run that `judge audit` has flagged.")],
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="csv, xlsx, label-studio or argilla.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.")],
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="The first N pairs only.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is already there.")] = False,
    json: Json = False,
) -> None:
    """Write the review queue: flagged pairs that nobody has settled, most valuable first.

    \b
    Example:
      judge queue runs/monday --to csv --out queue.csv
    """
    from audit.review.queue import FORMS, read_queue, write_queue
    from judge.errors import InputError
    from judge.files import new_file
    from judge.run.store import Run

    if to not in FORMS:
        raise InputError(f"--to {to}: there is no such format", f"name one of {', '.join(FORMS)}")
    opened = Run.open(run)
    items = read_queue(opened)[:limit]
    with new_file(out, overwrite=overwrite) as partial:
        write_queue(items, to, partial, opened.manifest.values)
    if json:
        show_json({"file": str(out), "format": to, "pairs": len(items)})
        return
    show(f"{len(items):,} pairs to look at in {out}")
