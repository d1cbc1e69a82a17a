"""`judge export`: a finished run's labels for others to read."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Json
from cli.output import show_json


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run directory.")],
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="FORMAT", help="jsonl or parquet (every input row), or trec (qrels of the graded ones)."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is already there.")] = False,
    json: Json = False,
) -> None:
    """Write a run's labels to one file.

    \b
    Example:
      judge export runs/monday --to trec --out monday.qrels
    """
    from judge.export import export as write
    from judge.store import Run

    opened = Run.open(run)
    rows = write(opened, to, out, overwrite=overwrite)
    left_out = opened.manifest.rows - rows
    if json:
        show_json(
            {
                "file": str(out),
                "format": to,
                "rows": rows,
                "left_out": left_out,
                "fingerprint": opened.manifest.fingerprint,
            }
        )
        return
    typer.echo(f"{rows:,} rows in {out}" + (f"; {left_out:,} rows without a grade left out" if left_out else ""))
