"""`judge queries`: queries that shoppers could ask of a catalogue."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
from click import Option

from judge.errors import InputError
from judge.records import counted
from relevance_judge.cli.options import CatalogueParams, guideline_option
from relevance_judge.cli.output import show, show_json, show_table
from relevance_judge.cli.params import count, file, flag, share, takes, text

if TYPE_CHECKING:
    from mine.queries.job import QueriesAccount


@dataclass(frozen=True)
class QueriesParams:
    """What to make, and what to compare it with."""

    like: Annotated[Path | None, file("--like", "LOG", "Real queries, whose lengths are followed; a column `query`.")]
    held_out: Annotated[Path | None, file("--held-out", "FILE", "Make none of these queries, nor one near them.")]
    per_category: Annotated[int | None, count("--per-category", "Queries of each leaf category at most.", default=50)]
    tiers: Annotated[
        str,
        Option(
            ["--tiers"],
            metavar="TIER=SHARE,…",
            default="simple=0.3,medium=0.35,complex=0.35",
            help="Shares of queries that ask for one thing, two, or more.",
        ),
    ]
    kinds: Annotated[
        str,
        Option(
            ["--kinds"],
            metavar="KIND,…",
            default="attribute,activity,situation,name",
            help="Kinds of queries, in turn.",
        ),
    ]
    share: Annotated[float, share("--share", "Made queries among them and the log's, at most.", 0.5, metavar="SHARE")]
    writer: Annotated[
        str | None, text("--writer", "URL", "Have a model write them: a chat endpoint; its key in OPENAI_API_KEY.")
    ]
    model: Annotated[str | None, text("--model", "NAME", "The writer's model.")]
    seed: Annotated[int | None, count("--seed", "Draws products and templates.", default=0, least=None)]


@dataclass(frozen=True)
class QueriesOutput:
    """What is written."""

    out: Annotated[Path, file("--out", "FILE", "The CSV file to write.", required=True)]
    skip_bad_rows: Annotated[bool, flag("--skip-bad-rows", "Count rows that cannot be used, and go on.")]
    overwrite: Annotated[bool, flag("--overwrite", "Replace what is already there.")]
    json: Annotated[bool, flag("--json", "Print JSON for machines.")]


@click.command()
@takes(QueriesParams)
@takes(CatalogueParams)
@guideline_option
@takes(QueriesOutput)
def queries(output: QueriesOutput, products: CatalogueParams, wanted: QueriesParams, guideline: str) -> None:
    """Make queries that a catalogue can answer. By templates, or written by a model, and accepted by rules.

    Every query finds the product that it was made from, copies no title, and is no held-out one.

    \b
    Example:
      judge queries --catalogue products.csv --like log.csv --held-out test.csv --out made.csv
    """
    from judge.words.guideline import load_guideline
    from mine.queries.job import QueriesConfig, QueriesJob
    from relevance_judge.mining import as_writer

    if products.catalogue is None:
        raise InputError("nothing says what to make queries of", "give --catalogue FILE")
    config = QueriesConfig(
        per_category=wanted.per_category or 0,
        tiers=_tiers(wanted.tiers),
        kinds=tuple(name.strip() for name in wanted.kinds.split(",")),
        share=wanted.share,
        seed=wanted.seed or 0,
        skip_bad_rows=output.skip_bad_rows,
        encoding=products.encoding,
    )
    job = QueriesJob(
        products.catalogue,
        output.out,
        load_guideline(guideline),
        config,
        wanted.like,
        wanted.held_out,
        as_writer(wanted.writer, wanted.model),
        products.mapping,
    )
    account = job.run(overwrite=output.overwrite)
    show_json(account.model_dump()) if output.json else _show(account, output.out)


def _tiers(given: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for item in given.split(","):
        name, _, value = item.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise InputError(f"--tiers {given}: {item!r} is not TIER=SHARE", "write simple=0.3,medium=0.7") from None
    return found


def _show(account: "QueriesAccount", out: Path) -> None:
    show(f"{counted(account.written, 'query')} in {out}", "")
    rows = [("made", f"{account.made:,}"), ("written", f"{account.written:,}")]
    rows += [(f"refused: {reason}", f"{count:,}") for reason, count in account.refused.items()]
    rows += [(f"tier {name}", f"{count:,}") for name, count in account.by_tier.items()]
    rows += [(f"kind {name}", f"{count:,}") for name, count in account.by_kind.items()]
    rows += [("categories", f"{account.categories:,}")]
    rows += [("share of made ones", f"{account.share:.2f}")] if account.share is not None else []
    read = (
        ("products", account.catalogue),
        ("queries of the log", account.like),
        ("held-out queries", account.held_out),
    )
    for name, side in read:
        if side:
            rows.append((name, f"{side.get('products', side.get('queries')):,}"))
            rows += [(f"{name} left out: {reason}", f"{count:,}") for reason, count in side["set_aside"].items()]
    show_table(rows, right=(1,))
    if account.mix and account.log:
        show("")
        mixes = (account.mix, account.log)
        table = [("words a query", *(f"{mix.words:.2f}" for mix in mixes))]
        table += [("categories a query", *(f"{mix.categories or 0:.2f}" for mix in mixes))]
        table += [(f"of {n} words", *(f"{mix.lengths[n]:.2f}" for mix in mixes)) for n in account.mix.lengths]
        table += [(f"names {n}", *(f"{mix.kinds[n]:.2f}" for mix in mixes)) for n in account.mix.kinds]
        show_table(table, ("", "made", "log"), (1, 2))
