"""`judge agree`: runs vs people, people vs each other, as a table, JSON or a page."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click

from judge.errors import InputError
from judge.records import counted
from relevance_judge.cli.options import RatingParams, TextParams, ratings_argument, skip_option
from relevance_judge.cli.output import show, show_json, show_left_out, show_note, show_table
from relevance_judge.cli.params import FILE, file, flag, takes
from relevance_judge.cli.stdin import input_file

if TYPE_CHECKING:
    from audit.agreement.agree import Report
    from judge.statistics.intervals import Estimate


@dataclass(frozen=True)
class ReportOutput:
    """Where a report goes."""

    report: Annotated[Path | None, file("--report", "FILE.html", "Write the whole report as one page.")]
    overwrite: Annotated[bool, flag("--overwrite", "Replace the page if it is there.")]
    json: Annotated[bool, flag("--json", "Print JSON for machines.")]


@click.command()
@ratings_argument
@click.option(
    "--run",
    "runs",
    metavar="RUN",
    type=FILE,
    multiple=True,
    help="A run to compare; repeatable. Without one, compare people.",
)
@takes(RatingParams)
@click.option("--reference", metavar="WHO", help="With --run: gold, majority or a rater; gold where there is one.")
@click.option(
    "--epsilon",
    type=click.FloatRange(0.0, 1.0),
    default=0.2,
    help="Tolerated disadvantage against a human rater: 0.2 for experts, 0.1 for crowds.",
)
@skip_option
@takes(TextParams)
@takes(ReportOutput)
def agree(
    output: ReportOutput,
    texts: TextParams,
    how: RatingParams,
    ratings: Path,
    runs: tuple[Path, ...],
    reference: str | None,
    epsilon: float,
    skip_bad_rows: bool,
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
    from judge.run.store import Run
    from relevance_judge.agreement import texts_of

    layout = how.layout(skip_bad_rows=skip_bad_rows)
    # A page that cannot be written is refused now rather than after the work.
    opened = [Run.open(each) for each in runs]
    with input_file(ratings) as (path, name), _page(output) as page:
        found = compare(
            Question(
                path,
                layout,
                runs=opened,
                guideline=texts.policy(),
                reference=reference,
                name=name,
                texts=texts_of(texts.catalogue, layout, opened),
                epsilon=epsilon,
            )
        )
        document = found.as_json()
        if page is not None:
            page.write_text(render(document), encoding="utf-8")
    if output.json:
        show_json(document)
        return
    _show(found, document)
    if output.report is not None:
        show("", f"report in {output.report}")


def _page(output: ReportOutput) -> AbstractContextManager[Path | None]:
    from judge.files import new_file

    report = output.report
    if report is None:
        return nullcontext()
    if report.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--report {report}: is not named .html", "name it report.html")
    return new_file(report, overwrite=output.overwrite)


def _show(found: "Report", document: Mapping[str, Any]) -> None:
    from judge.statistics.agreement import shown_in

    primary = found.primary
    from audit.agreement.page import shared_reason

    labels = shown_in("table")
    # What keeps several figures from having an interval, such as a single query, is said once.
    shared = shared_reason([*(document[key] for key in labels if key in document), *map(asdict, _of_people(found))])
    rows = [(name, *_figure(document[key], shared)) for key, name in labels.items() if key in document]
    show(f"{primary.judged} vs {primary.reference}", "")
    show_table(rows, head=("", "value", "95% interval"), right=(1,))
    if shared:
        show(f"–: {shared}")
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
    show_note(document["scale_note"])
    show_note(document["learned_note"])
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
    _show_runs(found, shared)
    _show_people(found, shared)


def _show_runs(found: "Report", shared: str | None) -> None:
    """Several runs against the reference and each other, since the figures above are the first one's."""
    runs = [name for name, *_ in found.learned]
    if len(runs) < 2:
        return
    rows = [
        (c.judged, c.reference, f"{c.n:,}", _text(c["accuracy"], shared), _text(c["weighted_kappa"], shared))
        for c in found.comparisons
        if c.judged in runs and c.reference in (found.primary.reference, *runs)
    ]
    show()
    show_table(rows, head=("run", "vs", "pairs", "accuracy", "quadratic kappa"), right=(2,))


def _of_people(found: "Report") -> list["Estimate"]:
    """The figures that are shown of people."""
    figures = [figure for ceiling in found.ceiling for figure in (ceiling.people, ceiling.judge)]
    figures += [test.advantage for _, test in found.alternative]
    of_raters = [(r.with_others, r.kappa_others, r.bias, r.with_gold, r.kappa_gold) for r in found.raters]
    return [*figures, *(figure for row in of_raters for figure in row)]


def _show_people(found: "Report", shared: str | None) -> None:
    from judge.statistics.agreement import agreement_measures

    if found.ceiling or found.alternative:
        show()
    for ceiling in found.ceiling:
        if ceiling.judge.value is not None:
            what = f"{agreement_measures()[ceiling.measure].label} on {ceiling.n:,} pairs: people among themselves"
            show(f"{what} {_text(ceiling.people, shared)}, the judge with a rater {_text(ceiling.judge, shared)}")
    for name, test in found.alternative:
        if test.passed is not None:
            verdict = "passes" if test.passed else "does not pass"
            what = f"wins {test.winning_rate:.0%} of {len(test.raters)} raters' places (epsilon {test.epsilon})"
            advantage = f"as good as a randomly drawn rater on {_text(test.advantage, shared)} of pairs"
            show(f"{name} {verdict} the alternative annotator test: {what}; {advantage}")
            clustered = "passes" if test.passed_by_query else "does not pass"
            show(f"with errors clustered by query it {clustered}: {test.winning_rate_by_query:.0%} of places")
    if len(found.raters) > 1:
        show()
        body = [
            (
                r.rater,
                f"{r.n:,}",
                *(_text(each, shared) for each in (r.with_others, r.kappa_others, r.bias)),
                f"{len(r.alone):,}",
            )
            for r in found.raters
        ]
        head = ("rater", "ratings", "agrees with others", "quadratic kappa", "bias", "alone")
        show_table(body, head=head, right=(1, 5))
    if found.panel.gold is not None and found.raters:
        show()
        with_gold = [(r.rater, _text(r.with_gold, shared), _text(r.kappa_gold, shared)) for r in found.raters]
        show_table(with_gold, head=("rater", f"agrees with {found.panel.gold_name}", "quadratic kappa"))


def _figure(figure: Mapping[str, Any], shared: str | None = None) -> tuple[str, str]:
    """The value and its interval, or why there is none; a dash for the `shared` reason, which is said elsewhere."""
    reason = "–" if shared and figure["reason"] == shared else figure["reason"] or ""
    if figure["value"] is None:
        return "–", reason
    if figure["low"] is None:
        return f"{figure['value']:.3f}", reason
    return f"{figure['value']:.3f}", f"{figure['low']:.3f} to {figure['high']:.3f}"


def _text(estimate: Any, shared: str | None = None) -> str:
    value, interval = _figure(asdict(estimate), shared)
    return f"{value} ({interval})" if interval not in ("", "–") else value
