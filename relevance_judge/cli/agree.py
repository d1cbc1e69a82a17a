"""`judge agree`: runs vs people, people vs each other, as a table, JSON or a page."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from judge.errors import InputError
from judge.records import counted
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
    SkipRatings,
    input_file,
    read_grades,
    read_map,
    read_raters,
)
from relevance_judge.cli.output import show, show_ends, show_json, show_left_out, show_table

if TYPE_CHECKING:
    from audit.agreement.agree import Report
    from judge.ratings.layout import RatingsLayout

NAMES = {
    "accuracy": "accuracy",
    "majority_baseline": "majority baseline",
    "within_1": "within one grade",
    "cohen_kappa": "Cohen's kappa",
    "weighted_kappa": "quadratic kappa",
    "alpha_ordinal": "Krippendorff's alpha",
    "gwet_ac2": "Gwet's AC2",
    "macro_f1": "macro F1",
    "spearman": "Spearman",
    "calibration_error": "calibration error",
}

Raters = Annotated[
    str | None,
    typer.Option("--raters", metavar="A,B,C", help="The raters' columns; or, in a long file, the raters to take."),
]
Gold = Annotated[
    str | None,
    typer.Option("--gold", metavar="NAME", help="The adjudicated grade: a column, or a rater of a long file."),
]


def agree(
    ratings: Annotated[
        Path,
        typer.Argument(metavar="RATINGS", help="A row a grade (with `rater`), or a row a pair; `-` is standard input."),
    ],
    run: Annotated[
        list[Path] | None, typer.Option("--run", metavar="RUN", help="A run to compare; repeatable. Without: people.")
    ] = None,
    raters: Raters = None,
    gold: Gold = None,
    reference: Annotated[
        str | None,
        typer.Option("--reference", metavar="WHO", help="gold, majority or a rater; gold where there is one."),
    ] = None,
    rating: Rating = None,
    grades: Grades = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE.html", help="Write the whole report as one page.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the page if it is there.")] = False,
    epsilon: Annotated[
        float,
        typer.Option("--epsilon", min=0.0, max=1.0, help="What a rater's time is worth: 0.2 experts, 0.1 crowds."),
    ] = 0.2,
    skip_bad_rows: SkipRatings = False,
    catalogue: Catalogue = None,
    guideline: GuidelineName = guidelines.DEFAULT,
    queries: Queries = None,
    encoding: Encoding = None,
    map_: Map = None,
    json: Json = False,
) -> None:
    """Compare runs with people's grades, or people with each other. Intervals are 95%, by resampling queries.

    \b
    Example:
      judge agree judgments.csv --run runs/monday --rating label --grades E=2,S=1,C=1,I=0
      judge agree ratings.csv --raters ann,ben,cleo --gold agreed --report report.html
    """
    from audit.agreement.agree import Question
    from audit.agreement.agree import agree as compare
    from audit.agreement.page import render
    from judge.ratings.candidates import read_texts
    from judge.run.store import Run

    layout = replace(
        read_layout(map_, rating, grades, raters, gold),
        skip_bad_rows=skip_bad_rows,
        queries=queries,
        encoding=encoding,
    )
    # A page that cannot be written is refused now rather than after the work.
    with input_file(ratings) as (path, name), _page(report, overwrite) as page:
        found = compare(
            Question(
                path,
                layout,
                runs=[Run.open(each) for each in run or []],
                guideline=guidelines.load_guideline(guideline),
                reference=reference,
                name=name,
                texts=read_texts(catalogue, layout.mapping, encoding=encoding) if catalogue else {},
                epsilon=epsilon,
            )
        )
        document = found.as_json()
        if page is not None:
            page.write_text(render(document), encoding="utf-8")
    if json:
        show_json(document)
        return
    _show(found, document)
    if report is not None:
        show("", f"report in {report}")


def _page(report: Path | None, overwrite: bool) -> AbstractContextManager[Path | None]:
    from judge.files import new_file

    if report is None:
        return nullcontext()
    if report.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--report {report}: is not named .html", "name it report.html")
    return new_file(report, overwrite=overwrite)


def read_layout(
    map_: list[str] | None, rating: str | None, grades: str | None, raters: str | None, gold: str | None
) -> "RatingsLayout":
    """The options that say what a file of ratings holds."""
    from judge.ratings.layout import RatingsLayout

    return RatingsLayout(read_map(map_, rating), read_grades(grades) or {}, read_raters(raters), gold)


def _show(found: "Report", document: Mapping[str, Any]) -> None:
    primary = found.primary
    rows = [(name, *_figure(document[key])) for key, name in NAMES.items() if key in document]
    show(f"{primary.judged} vs {primary.reference}", "")
    show_table(rows, head=("", "value", "95% interval"), right=(1,))
    # Only the majority leaves a pair out for a tie: gold, or a single rater, has its grade.
    tied = found.people.tied if primary.reference == "majority" else 0
    missing = ", ".join(f"{count:,} {status}" for status, count in document["not_graded"].items())
    show(
        "",
        f"{counted(primary.n, 'pair')} of {counted(primary.queries, 'query')}; "
        f"coverage {found.coverage or 0:.1%} of {found.rated:,} rated"
        + (f" ({missing})" if missing else "")
        + (f"; {document['not_in_run']:,} are not in the run" if document["not_in_run"] else "")
        + (f"; {tied:,} tied, without a majority, left out" if tied else ""),
    )
    show_left_out(document["left_out"])
    show_ends(found.panel.occurring, document["grades"])
    head = [
        f"{primary.reference} ↓  {primary.judged} →",
        *(f"{v} {n}" for v, n in zip(document["grades"], document["grade_names"], strict=True)),
    ]
    show()
    show_table(
        [[head[i + 1], *map(str, row)] for i, row in enumerate(primary.confusion)],
        head=head,
        right=range(1, len(head)),
    )
    _show_people(found)


def _show_people(found: "Report") -> None:
    if found.ceiling or found.alternative:
        show()
    for ceiling in found.ceiling:
        if ceiling.judge.value is not None:
            what = f"{NAMES[ceiling.measure]} on {ceiling.n:,} pairs: people among themselves"
            show(f"{what} {_text(ceiling.people)}, the judge with a rater {_text(ceiling.judge)}")
    for name, test in found.alternative:
        if test.passed is not None:
            verdict = "passes" if test.passed else "does not pass"
            what = f"wins {test.winning_rate:.0%} of {len(test.raters)} raters' places (epsilon {test.epsilon})"
            advantage = f"as good as a randomly drawn rater on {_text(test.advantage)} of pairs"
            show(f"{name} {verdict} the alternative annotator test: {what}; {advantage}")
    if len(found.raters) > 1:
        show()
        body = [
            (r.rater, f"{r.n:,}", _text(r.with_others), _text(r.kappa_others), _text(r.bias), f"{len(r.alone):,}")
            for r in found.raters
        ]
        head = ("rater", "ratings", "agrees with others", "quadratic kappa", "bias", "alone")
        show_table(body, head=head, right=(1, 5))
    if found.panel.gold is not None and found.raters:
        show()
        beside = [(r.rater, _text(r.with_gold), _text(r.kappa_gold)) for r in found.raters]
        show_table(beside, head=("rater", f"agrees with {found.panel.gold_name}", "quadratic kappa"))


def _figure(figure: Mapping[str, Any]) -> tuple[str, str]:
    if figure["value"] is None:
        return "–", figure["reason"] or ""
    if figure["low"] is None:
        return f"{figure['value']:.3f}", figure["reason"] or ""
    return f"{figure['value']:.3f}", f"{figure['low']:.3f} to {figure['high']:.3f}"


def _text(estimate: Any) -> str:
    value, interval = _figure({name: getattr(estimate, name) for name in ("value", "low", "high", "reason")})
    return f"{value} ({interval})" if interval else value
