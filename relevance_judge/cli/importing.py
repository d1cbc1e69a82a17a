"""`judge import`: grades that people gave, as a run."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from judge.words import guideline as guidelines
from relevance_judge.cli.options import (
    Catalogue,
    Encoding,
    Grades,
    GuidelineName,
    Json,
    Map,
    Queries,
    Rating,
    SkipBadRows,
    input_file,
    read_grades,
    read_map,
)
from relevance_judge.cli.output import show, show_ends, show_json, show_summary


def import_(
    ratings: Annotated[
        Path,
        typer.Argument(metavar="RATINGS", help="Rows with `query, candidate_id` and a grade; `-` is standard input."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="The run directory to write.")],
    catalogue: Catalogue = None,
    guideline: GuidelineName = guidelines.DEFAULT,
    rating: Rating = None,
    grades: Grades = None,
    skip_bad_rows: SkipBadRows = False,
    queries: Queries = None,
    encoding: Encoding = None,
    map_: Map = None,
    json: Json = False,
) -> None:
    """Make a run directory from grades that people already gave, with or without texts.

    \b
    Example:
      judge import judgments.csv --rating label --grades E=2,S=1,C=1,I=0 --out runs/people
    """
    from judge.labelling.importing import import_run
    from judge.pairs.stage import Source
    from judge.run.store import Run
    from judge.run.summary import summarise

    policy = guidelines.load_guideline(guideline)
    known = guidelines.known_grades(read_grades(grades), policy)
    run = Run(out)
    with input_file(ratings) as (path, name), run.writing():
        mapping = read_map(map_, rating)
        source = Source(path, catalogue, mapping, grades=known, need_text=False, skip_bad_rows=skip_bad_rows, name=name)
        source = replace(source, queries=queries, encoding=encoding)
        import_run(run, source, policy)
    run.finish()
    summary = summarise(run)
    if json:
        show_json(summary.model_dump())
        return
    show_summary(summary)
    show_ends((int(grade) for grade, count in summary.grades.items() if count), policy.values)
    show("", f"labels in {run.path} (fingerprint {summary.fingerprint})")
