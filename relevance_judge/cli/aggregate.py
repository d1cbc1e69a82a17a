"""`judge aggregate`: several people's grades to one a pair."""

from pathlib import Path

import click

from judge.records import counted
from judge.words import guideline as guidelines
from relevance_judge.cli.options import FileOutput, RatingParams, guideline_option, ratings_argument, skip_option
from relevance_judge.cli.output import show, show_json, show_left_out, show_note, show_table
from relevance_judge.cli.params import takes
from relevance_judge.cli.stdin import input_file


@click.command()
@ratings_argument
@click.option("--method", metavar="NAME", default="majority", help="majority, weighted or dawid-skene.")
@takes(RatingParams)
@guideline_option
@skip_option
@takes(FileOutput)
def aggregate(
    output: FileOutput, given: RatingParams, ratings: Path, method: str, guideline: str, skip_bad_rows: bool
) -> None:
    """Combine several raters' grades into one grade a pair. A tie gets no grade and is marked.

    The file written has the posterior of every grade, too: .parquet, .jsonl or .csv.

    \b
    Example:
      judge aggregate ratings.csv --raters ann,ben,cleo --method dawid-skene --out gold.parquet
    """
    from judge.ratings.aggregate import aggregate as combine
    from judge.ratings.aggregate import check, write
    from judge.ratings.panel import read_panel

    policy = guidelines.load_guideline(guideline)
    check(method, output.out, overwrite=output.overwrite)
    layout = given.layout(skip_bad_rows=skip_bad_rows).settled(policy)
    with input_file(ratings) as (path, name):
        panel = read_panel(path, layout, policy.values, name)
    found = combine(panel, method)
    written = write(panel, found, output.out, overwrite=output.overwrite)
    tied = int(found.tied[found.ratings > 0].sum())
    counts = {str(value): int((found.grades == value).sum()) for value in policy.values}
    skipped = {"left_out": dict(panel.left_out), "scale_note": panel.scale_note}
    if output.json:
        said = {"out": str(output.out), "method": method, "pairs": written, "tied": tied, "grades": counts}
        show_json(said | skipped)
        return
    names = {str(grade.value): grade.name for grade in policy.grades}
    lines = [("pairs", f"{written:,}"), ("tied, without a grade", f"{tied:,}")]
    show_table([*lines, *((f"grade {v} {names[v]}", f"{n:,}") for v, n in reversed(counts.items()))], right=(1,))
    show_left_out(panel.left_out)
    show_note(panel.scale_note)
    show("", f"{method} of {counted(len(panel.raters), 'rater')} in {output.out}")
