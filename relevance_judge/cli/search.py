"""`judge search`: what a retriever finds in a catalogue, as a TREC run."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
from click import Option

from judge.errors import InputError
from judge.records import counted
from judge.words.guideline import DEFAULT
from relevance_judge.cli.options import CatalogueParams, FileOutput, guideline_option
from relevance_judge.cli.output import map_options, show, show_json, show_table
from relevance_judge.cli.params import choice, count, file, flag, takes
from relevance_judge.cli.params import text as text_of
from relevance_judge.progress import stages

if TYPE_CHECKING:
    from retriever.search import SearchAccount


@dataclass(frozen=True)
class SearchParams:
    """How to search."""

    queries: Annotated[Path, file("--queries", "FILE", "Queries: `query`, perhaps `query_id`.", required=True)]
    top: Annotated[int | None, count("--top", "Results of a query, at most.", metavar="K", default=100)]
    fuse: Annotated[
        tuple[str, ...],
        Option(
            ["--fuse"],
            metavar="SYSTEM",
            multiple=True,
            help="Fuse with this model, `bm25` or TREC run by reciprocal ranks; repeatable.",
        ),
    ]
    weight: Annotated[
        float | None,
        Option(
            ["--weight"],
            metavar="W",
            type=float,
            help="With one --fuse: add scores, W of MODEL's and 1 - W of the other's, in place of ranks.",
        ),
    ]
    text: Annotated[
        str,
        choice(
            "--text",
            ("auto", "title", "all"),
            "What an encoder reads of a product: all fields if `judge train` made it, else the title.",
        ),
    ]
    approximate: Annotated[
        bool, flag("--approximate", "Search an HNSW index, for millions of products; it may miss a few.")
    ]
    shortlist: Annotated[
        str | None,
        text_of("--shortlist", "SYSTEM", "Re-rank this system's first 200 with a model of --late, not all products."),
    ]
    skip_bad_rows: Annotated[
        bool, flag("--skip-bad-rows", "Set aside rows that cannot be used, count them, and continue.")
    ]


@click.command()
@click.argument(
    "model", metavar="MODEL", help="An encoder's folder, its name on the Hub, `minilm-l6`, `bm25`, or a TREC run."
)
@takes(SearchParams)
@takes(CatalogueParams)
@guideline_option
@takes(FileOutput)
def search(output: FileOutput, products: CatalogueParams, wanted: SearchParams, model: str, guideline: str) -> None:
    """Search a catalogue for queries, and write a TREC run. With a model, with BM25, or with several as one.

    The search is exact: every query is compared with every product. Vectors are kept, so that a search that was
    killed resumes, and the next one of the same products is fast.

    \b
    Example:
      judge search minilm-l6 --catalogue products.csv --queries queries.csv --out minilm.run
      judge search minilm-l6 --fuse bm25 --catalogue products.csv --queries queries.csv --out hybrid.run
    """
    from judge.words.guideline import load_guideline
    from retriever.search import Search, SearchConfig

    if products.catalogue is None:
        raise InputError("nothing says what to search", "give --catalogue FILE")
    config = SearchConfig(
        top=wanted.top or 0,
        fuse=wanted.fuse,
        weight=wanted.weight,
        text=wanted.text,
        approximate=wanted.approximate,
        shortlist=wanted.shortlist,
        skip_bad_rows=wanted.skip_bad_rows,
        encoding=products.encoding,
    )
    policy = load_guideline(guideline)
    with stages() as progress:
        job = Search(model, products.catalogue, wanted.queries, policy, config, products.mapping, progress=progress)
        account = job.run(output.out, overwrite=output.overwrite)
    if output.json:
        show_json(account.model_dump())
        return
    catalogue = f" --catalogue {shlex.quote(str(products.catalogue))}{map_options(job.catalogue_columns)}"
    means = "" if guideline == DEFAULT else f" --guideline {shlex.quote(guideline)}"
    _show(account, output.out, f"{catalogue}{means}")


def _show(account: "SearchAccount", out: Path, options: str) -> None:
    show(f"{counted(account.results, 'result')} of {account.name} in {out}", "")
    rows: list[tuple[str, str]] = []
    for name, side in (("products", account.products), ("queries", account.queries)):
        rows.append((name, f"{side['used']:,}"))
        rows += [(f"{name}: {reason}", f"{n:,}") for reason, n in side.items() if reason not in ("rows", "used")]
    rows.append(("queries without a result", f"{account.without_results:,}"))
    if account.not_in_catalogue:
        rows.append(("results not in the catalogue", f"{account.not_in_catalogue:,}"))
    if account.other_queries:
        rows.append(("ranked queries that were not asked", f"{account.other_queries:,}"))
    show_table(rows, right=(1,))
    against = "" if account.name == "bm25" else " --against bm25"
    show("", f"next: judge evaluate {shlex.quote(str(out))} --gold RATINGS{against}{options}")
