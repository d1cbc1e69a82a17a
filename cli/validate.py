"""`judge validate`: read everything, load no model."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from cli.options import Catalogue, GuidelineName, Json, Map, input_file, read_map
from cli.output import printable, show_json, show_table
from judge import guideline as guidelines

SHOWN = 12
"""Unused columns that are named."""


def validate(
    pairs: Annotated[
        Path, typer.Argument(metavar="PAIRS", help="What `judge label` would be given; `-` is standard input.")
    ],
    catalogue: Catalogue = None,
    guideline: GuidelineName = guidelines.DEFAULT,
    map_: Map = None,
    json: Json = False,
) -> None:
    """Read pairs and catalogue, and list everything that is wrong with them.

    Ends with exit code 2 where `judge label` would refuse the input. Loads no model.

    \b
    Example:
      judge validate pairs.csv --catalogue products.jsonl --map candidate_id=sku
    """
    from judge.pairs import Source, stage

    policy = guidelines.load_guideline(guideline)
    with input_file(pairs) as (path, name), tempfile.TemporaryDirectory(prefix="validate-") as folder:
        staged = stage(Source(path, catalogue, read_map(map_), name=name), policy, Path(folder))
    if json:
        shown = [
            {
                "kind": p.kind,
                "file": p.file,
                "row": p.row,
                "line": p.line,
                "field": p.field,
                "message": p.message,
                "fix": p.fix,
            }
            for p in staged.problems
        ]
        counts = {
            "rows": staged.rows,
            "queries": staged.queries,
            "pairs": staged.rows - staged.skipped,
            "skipped": staged.skipped,
        }
        show_json({**counts, "problems": dict(staged.kinds), "first": shown, "unused_columns": list(staged.unused)})
    else:
        show_table(
            [
                ("input rows", f"{staged.rows:,}"),
                ("pairs to judge", f"{staged.rows - staged.skipped:,}"),
                ("queries", f"{staged.queries:,}"),
                ("repeats and rows without text", f"{staged.repeats:,}"),
                ("problems", f"{sum(staged.kinds.values()):,}"),
            ],
            right=(1,),
        )
        if staged.unused:
            more = f" and {len(staged.unused) - SHOWN:,} more (--json has all)" if len(staged.unused) > SHOWN else ""
            typer.echo(f"\ncolumns that nothing reads: {printable(', '.join(staged.unused[:SHOWN]))}{more}")
        for kind, count in sorted(staged.kinds.items()):
            first = [problem for problem in staged.problems if problem.kind == kind]
            typer.echo(f"\n{kind}: {count:,}, to mend: {printable(first[0].fix)}")
            for problem in first:
                typer.echo(f"  {printable(str(problem))}")
            if count > len(first):
                typer.echo(f"  … and {count - len(first):,} more")
    if staged.problems:
        raise typer.Exit(2)
