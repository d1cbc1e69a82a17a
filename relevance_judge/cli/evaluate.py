"""`judge evaluate`: whether search gets better, by people's grades and against baselines."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
from click import Option

from judge.errors import InputError
from judge.files import new_file
from judge.records import counted
from relevance_judge.cli.options import RaterParams, TextParams
from relevance_judge.cli.output import show, show_json, show_table
from relevance_judge.cli.params import choice, count, file, flag, read_names, takes, text
from relevance_judge.cli.stdin import input_file
from relevance_judge.progress import stages

if TYPE_CHECKING:
    from retriever.evaluate import EvaluationConfig
    from retriever.evaluation import Evaluation
    from retriever.intervals import Mean


@dataclass(frozen=True)
class MeasureParams:
    """What is measured."""

    gold: Annotated[Path, file("--gold", "RATINGS", "People's grades: a row a grade, or a row a pair.", required=True)]
    against: Annotated[str, text("--against", "SYSTEM,…", "Baselines: `bm25`, models or TREC runs.")]
    at: Annotated[int | None, count("--at", "Results that are looked at.", metavar="K", default=10)]
    recall_at: Annotated[int | None, count("--recall-at", "Results that recall looks at.", metavar="K", default=50)]
    relevant: Annotated[
        int | None,
        count("--relevant", "The lowest grade of a relevant product; the highest grade unless given.", metavar="GRADE"),
    ]
    gain: Annotated[
        str,
        choice(
            "--gain", ("exponential", "linear"), "What a grade is worth in NDCG, g above the lowest: 2^g - 1, or g."
        ),
    ]
    reads: Annotated[
        str,
        Option(
            ["--text", "reads"],
            type=click.Choice(("auto", "title", "all")),
            default="auto",
            help="What an encoder reads of a product: all fields if `judge train` made it, else the title.",
        ),
    ]
    misspell: Annotated[
        bool,
        Option(["--misspell/--no-misspell"], default=True, help="Ask models the queries with a typing error, too."),
    ]
    seed: Annotated[int | None, count("--seed", "Draws typing errors, and orders --holes.", default=0, least=None)]

    def config(self, encoding: str | None) -> "EvaluationConfig":
        """The same for the evaluation."""
        from retriever.evaluate import EvaluationConfig

        return EvaluationConfig(
            k=self.at or 0,
            recall_k=self.recall_at or 0,
            relevant=self.relevant,
            gain="linear" if self.gain == "linear" else "exponential",
            text=self.reads,
            misspell=self.misspell,
            seed=self.seed or 0,
            encoding=encoding,
        )


@dataclass(frozen=True)
class HoleParams:
    """What nobody judged."""

    holes: Annotated[
        Path | None,
        file("--holes", "FILE", "Write the unjudged pairs of the first results as CSV, in a random order, to label."),
    ]
    fill: Annotated[
        Path | None, file("--fill", "RUN", "Add a column in which this run's grades stand where people gave none.")
    ]
    fill_sample: Annotated[
        Path | None,
        file("--fill-sample", "RATINGS", "People's grades of the first rows of --holes: correct --fill by them."),
    ]


@dataclass(frozen=True)
class EvaluationOutput:
    """What is told."""

    report: Annotated[Path | None, file("--report", "FILE", "Write a page of HTML to look at.")]
    skip_bad_rows: Annotated[
        bool, flag("--skip-bad-rows", "Set aside rows that cannot be used, count them, and continue.")
    ]
    overwrite: Annotated[bool, flag("--overwrite", "Replace a report that is already there.")]
    json: Annotated[bool, flag("--json", "Print JSON for machines.")]


@click.command()
@click.argument(
    "systems",
    metavar="SYSTEM...",
    nargs=-1,
    required=True,
    help="An encoder's folder, its name on the Hub, `minilm-l6`, `bm25`, or a TREC run.",
)
@takes(MeasureParams)
@takes(TextParams)
@takes(RaterParams)
@takes(HoleParams)
@takes(EvaluationOutput)
def evaluate(
    output: EvaluationOutput,
    holes: HoleParams,
    theirs: RaterParams,
    texts: TextParams,
    wanted: MeasureParams,
    systems: tuple[str, ...],
) -> None:
    """Measure search by people's grades. Systems are compared with baselines query by query.

    Every figure stands twice, with unjudged results as irrelevant and without them, next to the share that was
    judged. Where the queries are too few to say who is better, that is the answer.

    \b
    Example:
      judge evaluate models/retriever --gold grades.csv --catalogue products.csv --against bm25,minilm-l6
      judge evaluate a.run b.run --gold grades.csv --catalogue products.csv --report search.html
    """
    from judge.run.store import Run
    from retriever.evaluate import EvaluationJob
    from retriever.page import render

    if texts.catalogue is None:
        raise InputError("nothing says which products there are", "give --catalogue FILE")
    policy = texts.policy()
    with input_file(wanted.gold) as (gold, name), stages() as progress:
        job = EvaluationJob(
            systems,
            read_names(wanted.against),
            gold,
            texts.catalogue,
            policy,
            theirs.layout(skip_bad_rows=output.skip_bad_rows),
            wanted.config(theirs.encoding),
            fill=Run.open(holes.fill) if holes.fill else None,
            fill_sample=holes.fill_sample,
            holes=holes.holes,
            names={"gold": name},
            progress=progress,
        )
        if output.report is not None:
            with new_file(output.report, overwrite=output.overwrite) as partial:
                found = job.run()
                partial.write_text(render(found.as_json()), encoding="utf-8")
        else:
            found = job.run()
    show_json(found.as_json()) if output.json else _show(found)
    if output.report is not None and not output.json:
        show("", f"report: {output.report}")


def _show(found: "Evaluation") -> None:
    gold, cut = found.gold, found.cut
    counts = (gold["queries"], "query"), (gold["used"], "judged pair"), (found.catalogue["products"], "product")
    show(", ".join(counted(n, noun) for n, noun in counts))
    show(f"relevant: grade {cut.relevant} or better; gain of NDCG: {cut.gain}")
    for reason, n in {**gold["set_aside"], **gold["left_out"]}.items():
        show(f"  left out: {n:,} × {reason.replace('_', ' ')}")
    for reason, n in found.catalogue["set_aside"].items():
        show(f"  products left out: {n:,} × {reason.replace('_', ' ')}")
    lost = [
        ("", gold["without_products"], "query", "left out: none of the rated products is in the catalogue"),
        ("", gold["without_relevant"], "query", "without a relevant product: precision, recall, MRR leave them out"),
        ("", gold["without_gain"], "query", "with the lowest grade alone: NDCG leaves them out, too"),
    ]
    for each in found.systems:
        name = f"{each.name}: "
        lost += [
            (name, each.without_results, "query", "without a result, which counts as 0"),
            (name, each.not_in_catalogue, "result", "left out, not in the catalogue"),
            (name, each.other_queries, "query", "left out, without rated products"),
            (name, each.learned, "query", "that it learned from: figures on those flatter it"),
        ]
    for name, n, noun, what in lost:
        if n:
            show(f"  {name}{counted(n, noun)} {what}")
    primary, columns = found.primary, list(found.systems[0].figures)
    told = {"full": "all results", "judged": "judged only", "filled": "JUDGE-FILLED"}
    show("", f"{found.measures[primary]}, 95% intervals of resampled queries")
    show(f"judged only: the judged ones among the first {found.depth:,} results")
    head = ("system", *(told[column] for column in columns), f"judged@{cut.k}")
    rows = [
        (s.name, *(_range(s.figures[c][primary]) for c in columns), _number(s.share_judged.value, form=".0%"))
        for s in found.systems
    ]
    show_table(rows, head=head, right=(len(head) - 1,))
    figures = [s.figures[c][primary] for s in found.systems for c in columns]
    for reason in dict.fromkeys(f.reason for f in figures if f.value is not None and f.low is None):
        show(f"  {reason}")
    others = [name for name in found.measures if name != primary]
    show("", "unjudged results as irrelevant")
    short = [found.measures[name].replace("nothing relevant in", "none in") for name in others]
    rows = [(s.name, *(_number(s.figures["full"][name].value) for name in others)) for s in found.systems]
    show_table(rows, head=("system", *short), right=tuple(range(1, len(others) + 1)))
    _show_comparisons(found, told)
    _show_rest(found)


def _show_comparisons(found: "Evaluation", told: dict[str, str]) -> None:
    from retriever.slices import UNLEARNED

    for each in found.comparisons:
        show("", f"{each.system} less {each.baseline}, {found.measures[found.primary]}, by query")
        gaps = [(told[column], measures[found.primary]) for column, measures in each.differences.items()]
        gaps += [(f"{told[column]}, {UNLEARNED}", gap) for column, gap in each.slices.get(UNLEARNED, {}).items()]
        rows = [(name, _range(gap, "+"), gap.verdict, _number(gap.detectable)) for name, gap in gaps]
        show_table(rows, head=("", "difference", "it is", "detectable"), right=(3,))


def _show_rest(found: "Evaluation") -> None:
    show("", "by scores: AUC of neighbouring grades; NDCG with one typing error a query")
    rows = []
    for system in found.systems:
        aucs = [f"{s.upper} vs {s.lower}: {_number(s.auc)}" for s in system.separation]
        lost = system.misspelt["full"]["difference"].value if system.misspelt else None
        rows.append((system.name, *aucs, _number(lost, "+")))
    show_table(rows, head=("system", *([""] * len(found.systems[0].separation)), "misspelt"))
    for system in found.systems:
        if system.filling is None:
            continue
        some = system.filling
        show("", f"{system.name}: {some.holes:,} of {some.results:,} results unjudged, {some.filled:,} filled")
        for name, figure in some.corrected.items():
            between = f"{figure.low:.3f} to {figure.high:.3f}" if figure.low is not None else figure.reason
            show(f"  {name} by {some.rated:,} rated ones: {_number(figure.value)} ({between})")
        if not some.corrected:
            show("  uncorrected: give --fill-sample to see how far the judge is off")
    if found.holes is not None:
        show("", f"{found.holes:,} unjudged pairs written; have people rate the first rows, and label them all")


def _range(mean: "Mean", sign: str = "") -> str:
    if mean.value is None:
        return "–"
    between = "" if mean.low is None or mean.high is None else f" ({mean.low:{sign}.3f} to {mean.high:{sign}.3f})"
    return f"{mean.value:{sign}.3f}{between}"


def _number(value: float | None, sign: str = "", form: str = ".3f") -> str:
    return "–" if value is None else f"{value:{sign}{form}}"
