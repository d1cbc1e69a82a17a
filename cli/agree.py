"""`judge agree`: a run's labels beside people's."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Grades, Json, Map, Rating, input_file, read_grades, read_map
from cli.output import printable, show_json, show_table

NAMES = {
    "accuracy": "accuracy",
    "majority_baseline": "majority baseline",
    "within_1": "within one grade",
    "cohen_kappa": "Cohen's kappa",
    "weighted_kappa": "quadratic kappa",
    "macro_f1": "macro F1",
}


def agree(
    ratings: Annotated[
        Path,
        typer.Argument(metavar="RATINGS", help="Rows with `query, candidate_id` and a grade; `-` is standard input."),
    ],
    run: Annotated[Path, typer.Option("--run", metavar="RUN", help="The run to compare.")],
    rating: Rating = None,
    grades: Grades = None,
    map_: Map = None,
    json: Json = False,
) -> None:
    """Compare a run's labels with people's grades. Intervals are 95%, by resampling queries.

    \b
    Example:
      judge agree judgments.csv --run runs/monday --rating label --grades E=2,S=1,C=1,I=0
    """
    from audit.agree import agree as compare
    from judge.store import Run

    with input_file(ratings) as (path, name):
        found = compare(Run.open(run), path, mapping=read_map(map_, rating), grades=read_grades(grades), name=name)
    if json:
        show_json(found.as_json())
        return
    rows = []
    for key, name in NAMES.items():
        figure = found.figures[key]
        value = "–" if figure.value is None else f"{figure.value:.3f}"
        interval = "" if figure.interval is None else f"{figure.interval[0]:.3f} to {figure.interval[1]:.3f}"
        rows.append((name, value, interval or (figure.reason or "")))
    show_table(rows, head=("", "value", "95% interval"), right=(1,))
    missing = ", ".join(f"{count:,} {status}" for status, count in found.not_graded.items())
    typer.echo(
        f"\n{found.n:,} pairs of {found.queries:,} queries; coverage {found.coverage or 0:.1%} of {found.rated:,} rated"
        + (f" ({missing})" if missing else "")
        + (f"; {found.not_in_run:,} are not in the run" if found.not_in_run else "")
    )
    head = [
        "people ↓  run →",
        *(f"{value} {printable(grade)}" for value, grade in zip(found.grades, found.grade_names, strict=True)),
    ]
    body = [[head[i + 1], *map(str, row)] for i, row in enumerate(found.confusion)]
    typer.echo()
    show_table(body, head=head, right=range(1, len(head)))
