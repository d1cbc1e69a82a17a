"""`judge export`: a finished run's labels for others to read."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from judge.errors import InputError
from judge.export.formats import format_help
from judge.records import counted
from relevance_judge.cli.agree import Gold, Raters, read_layout
from relevance_judge.cli.options import Grades, Json, Map, Rating
from relevance_judge.cli.output import show, show_json, show_table
from relevance_judge.cli.pushing import Licence, Private, Push, Pushing, Ratings, Revision, Tag, publish

# What is taken of the run.
MinConfidence = Annotated[
    float,
    typer.Option("--min-confidence", metavar="P", help="Leave out grades less probable; people's are certain."),
]
Splits = Annotated[
    str | None,
    typer.Option("--splits", metavar="NAME=SHARE,…", help="Split by query: train=0.8,validation=0.1,test=0.1."),
]
Products = Annotated[
    Literal["apart", "shared"],
    typer.Option("--products", help="Whether a product may be on two sides of a split."),
]
PerQuery = Annotated[
    int | None, typer.Option("--per-query", metavar="N", min=1, help="At most N rows of a query, grades in turn.")
]
Balance = Annotated[bool, typer.Option("--balance", help="As many rows of each grade as of the rarest.")]
WithoutFlagged = Annotated[
    bool, typer.Option("--without-flagged", help="Leave out labels that are flagged and undecided.")
]
# What is made of it.
Fields = Annotated[
    str | None,
    typer.Option("--fields", metavar="NAME,…", help="Fields that make a candidate's text; the guideline's, in order."),
]
Score = Annotated[
    Literal["grade", "expected"], typer.Option("--score", help="What a scored pair's score is, in [0, 1].")
]
Labelled = Annotated[bool, typer.Option("--labelled", help="Pairs with the grade as a class, not a score.")]
# Which rows are set against which.
Count = Annotated[int, typer.Option("--negatives", metavar="N", min=1, help="Negatives for each positive.")]
Mix = Annotated[
    Literal["even", "near", "far"],
    typer.Option("--mix", help="Of which lower grades: each in turn, the nearest first, the lowest first."),
]
NegativeConfidence = Annotated[
    float,
    typer.Option("--negative-confidence", metavar="P", help="Grades less probable are no negatives and no positives."),
]
Positives = Annotated[
    str | None, typer.Option("--positives", metavar="GRADE,…", help="Grades that are positives; all but the lowest.")
]


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run directory.")],
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help=format_help(),
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="PATH", help="The file to write; with splits the folder.")
    ] = None,
    min_confidence: MinConfidence = 0.0,
    splits: Splits = None,
    products: Products = "apart",
    per_query: PerQuery = None,
    balance: Balance = False,
    without_flagged: WithoutFlagged = False,
    fields: Fields = None,
    score: Score = "grade",
    labelled: Labelled = False,
    negatives: Count = 4,
    mix: Mix = "even",
    negative_confidence: NegativeConfidence = 0.5,
    positives: Positives = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is already there.")] = False,
    push: Push = None,
    revision: Revision = None,
    private: Private = False,
    tag: Tag = None,
    licence: Licence = None,
    ratings: Ratings = None,
    rating: Rating = None,
    raters: Raters = None,
    gold: Gold = None,
    grades: Grades = None,
    map_: Map = None,
    json: Json = False,
) -> None:
    """Write a run's labels in one format: training sets, qrels, or sheets for other tools; or publish them.

    Decisions are applied. What is left out is counted. See docs/export.md for how each format is read.

    \b
    Example:
      judge export runs/monday --to triplets --splits train=0.9,test=0.1 --out monday-triplets
      judge export runs/monday --push my-shop/relevance --ratings ratings.csv
    """
    from judge.export.formats import find_format
    from judge.export.selection import Selection, read_selection
    from judge.export.writing import check_used, export
    from judge.run.store import Run

    selection: Selection = read_selection(
        min_confidence=min_confidence,
        splits=splits,
        products=products,
        per_query=per_query,
        balance=balance,
        flagged="leave_out" if without_flagged else "keep",
        fields=fields,
        score=score,
        pairs="labelled" if labelled else "scored",
        negatives={
            "count": negatives,
            "mix": mix,
            "min_confidence": negative_confidence,
            "positives": positives,
        },
    )
    if push is not None:
        if to is not None or out is not None:
            raise InputError("--push publishes every view; --to and --out write files", "do one of them")
        layout = read_layout(map_, rating, grades, raters, gold)
        asked = Pushing(push, revision, private, tag, licence, ratings, layout)
        publish(Run.open(run), selection, asked, json)
        return
    publishing = (("--revision", revision), ("--private", private), ("--tag", tag), ("--license", licence))
    people = (("--ratings", ratings), ("--rating", rating), ("--raters", raters), ("--gold", gold))
    reading = (("--grades", grades), ("--map", map_))
    if unused := [name for name, value in (*publishing, *people, *reading) if value]:
        raise InputError(f"{', '.join(unused)}: only --push uses this", "give --push owner/name, or leave it out")
    if to is None or out is None:
        raise InputError("nothing says what to write", "give --to FORMAT and --out PATH, or --push owner/name")
    check_used(to, selection)
    done = export(Run.open(run), to, out, selection, overwrite=overwrite)
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
