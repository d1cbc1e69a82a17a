"""`judge queue`: what people should look at, most valuable first."""

from pathlib import Path

import click

from judge.export.formats import suggestion_formats
from relevance_judge.cli.options import FileOutput, flagged_run_argument
from relevance_judge.cli.output import show, show_json
from relevance_judge.cli.params import takes


@click.command()
@flagged_run_argument
@click.option("--to", metavar="FORMAT", required=True, help=f"csv, xlsx, {' or '.join(suggestion_formats())}.")
@takes(FileOutput)
@click.option("--limit", metavar="N", type=click.IntRange(1), help="The first N pairs only.")
def queue(output: FileOutput, run: Path, to: str, limit: int | None) -> None:
    """Write the review queue: flagged pairs, most valuable first. Pairs that somebody has settled are not in it.

    \b
    Example:
      judge queue runs/monday --to csv --out queue.csv
    """
    from audit.review.queue import forms, read_queue, write_queue
    from judge.errors import InputError
    from judge.files import new_file
    from judge.run.store import Run

    if to not in forms():
        raise InputError(f"--to {to}: there is no such format", f"name one of {', '.join(forms())}")
    opened = Run.open(run)
    items = read_queue(opened)[:limit]
    with new_file(output.out, overwrite=output.overwrite) as partial:
        write_queue(items, to, partial, opened.manifest.values)
    if output.json:
        show_json({"file": str(output.out), "format": to, "pairs": len(items)})
        return
    show(f"{len(items):,} pairs to look at in {output.out}")
