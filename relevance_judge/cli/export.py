"""`judge export`: a finished run's labels for others to read."""

from pathlib import Path

import click

from judge.export.formats import format_help
from judge.records import counted
from relevance_judge.cli.options import finished_run_argument, json_option
from relevance_judge.cli.output import show, show_json, show_table
from relevance_judge.cli.params import FILE, missing_options, takes
from relevance_judge.cli.selection import SelectionParams


@click.command()
@finished_run_argument
@click.option(
    "--to",
    metavar="FORMAT",
    help=format_help(),
)
@click.option("--out", metavar="PATH", type=FILE, help="The file to write; with splits the folder.")
@click.option(
    "--with", "others", metavar="RUN", type=FILE, multiple=True, help="Export this run's labels too; repeatable."
)
@click.option("--prefer", metavar="RUN", type=FILE, help="Take this run's grade where runs differ on a pair.")
@takes(SelectionParams)
@click.option("--overwrite", is_flag=True, help="Replace what is already there.")
@json_option
def export(
    selected: SelectionParams,
    run: Path,
    to: str | None,
    out: Path | None,
    others: tuple[Path, ...],
    prefer: Path | None,
    overwrite: bool,
    json: bool,
) -> None:
    """Write a run's labels as training sets, qrels or review sheets.

    Decisions are applied. What is left out is counted. docs/export.md says how each format is read; `judge push`
    publishes.

    \b
    Example:
      judge export runs/monday --to triplets --splits train=0.9,test=0.1 --out monday-triplets
      judge export runs/people --with runs/mined --to listwise --out set.parquet
    """
    from judge.export.formats import find_format
    from judge.export.writing import check_used, export
    from judge.run.store import Run
    from relevance_judge.exports import join_of

    selection = selected.selection()
    if to is None or out is None:
        raise missing_options({"--to": ("FORMAT", to), "--out": ("PATH", out)})
    check_used(to, selection)
    join = join_of([Run.open(other) for other in others], prefer)
    done = export(Run.open(run), to, out, selection, overwrite=overwrite, join=join)
    if json:
        show_json(done.model_dump())
        return
    total = sum(done.records.values())
    show(f"{counted(total, 'record')} in {out}", "")
    rows = [("input rows", f"{done.input_rows:,}"), ("exported", f"{done.used:,}")]
    rows += [(f"left out: {reason}", f"{count:,}") for reason, count in done.left_out.items()]
    if selection.splits:
        rows += [(f"records of {split}", f"{count:,}") for split, count in done.records.items()]
    show_table(rows, right=(1,))
    if done.undecided:
        fix = "--to judgments --without-flagged" if find_format(to).every_row else "--without-flagged"
        show(f"{counted(done.undecided, 'label')} in it flagged and undecided; {fix} leaves them out")
