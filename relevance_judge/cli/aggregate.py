"""`judge aggregate`: several people's grades to one a pair."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from judge.records import counted
from judge.tables.scale import ends_note
from judge.words import guideline as guidelines
from relevance_judge.cli.agree import Gold, Raters, read_layout
from relevance_judge.cli.options import (
    Encoding,
    Grades,
    GuidelineName,
    Json,
    Map,
    Queries,
    Rating,
    SkipRatings,
    input_file,
)
from relevance_judge.cli.output import show, show_ends, show_json, show_left_out, show_table


def aggregate(
    ratings: Annotated[
        Path,
        typer.Argument(metavar="RATINGS", help="A row a grade (with `rater`), or a row a pair; `-` is standard input."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="What to write: .parquet, .jsonl or .csv.")],
    method: Annotated[
        str, typer.Option("--method", metavar="NAME", help="majority, weighted or dawid-skene.")
    ] = "majority",
    raters: Raters = None,
    gold: Gold = None,
    rating: Rating = None,
    grades: Grades = None,
    guideline: GuidelineName = guidelines.DEFAULT,
    skip_bad_rows: SkipRatings = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it is there.")] = False,
    queries: Queries = None,
    encoding: Encoding = None,
    map_: Map = None,
    json: Json = False,
) -> None:
    """One grade a pair from several people's, with the posterior of every grade. A tie has no grade, and says so.

    \b
    Example:
      judge aggregate ratings.csv --raters ann,ben,cleo --method dawid-skene --out gold.parquet
    """
    from judge.ratings.aggregate import aggregate as combine
    from judge.ratings.aggregate import check, write
    from judge.ratings.panel import read_panel

    policy = guidelines.load_guideline(guideline)
    check(method, out)
    layout = read_layout(map_, rating, grades, raters, gold)
    layout.check(policy)
    known = guidelines.known_grades(layout.grades or None, policy)
    layout = replace(layout, grades=known, skip_bad_rows=skip_bad_rows, queries=queries, encoding=encoding)
    with input_file(ratings) as (path, name):
        panel = read_panel(path, layout, policy.values, name)
    found = combine(panel, method)
    written = write(panel, found, out, overwrite=overwrite)
    tied = int(found.tied[found.ratings > 0].sum())
    counts = {str(value): int((found.grades == value).sum()) for value in policy.values}
    skipped = {"left_out": dict(panel.left_out), "scale_note": ends_note(panel.occurring, policy.values)}
    if json:
        show_json({"out": str(out), "method": method, "pairs": written, "tied": tied, "grades": counts} | skipped)
        return
    names = {str(grade.value): grade.name for grade in policy.grades}
    lines = [("pairs", f"{written:,}"), ("tied, without a grade", f"{tied:,}")]
    show_table([*lines, *((f"grade {v} {names[v]}", f"{n:,}") for v, n in reversed(counts.items()))], right=(1,))
    show_left_out(panel.left_out)
    show_ends(panel.occurring, policy.values)
    show("", f"{method} of {counted(len(panel.raters), 'rater')} in {out}")
