"""`judge mine`: which pairs to judge next, and what those that were judged are worth."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
from click import Option
from click.core import ParameterSource

from judge.errors import InputError
from judge.records import counted
from relevance_judge.cli.options import EncodingParams, GradeColumns
from relevance_judge.cli.output import map_options, show, show_json, show_table
from relevance_judge.cli.params import FILE, count, file, flag, missing_options, read_names, takes
from relevance_judge.cli.stdin import input_file
from relevance_judge.progress import stages
from relevance_judge.serving import default_judge

if TYPE_CHECKING:
    from judge.ratings.layout import RatingsLayout
    from judge.run.store import Run
    from mine.account import MiningAccount
    from mine.worth import Worth


@dataclass(frozen=True)
class MiningParams:
    """How to mine."""

    queries: Annotated[Path | None, file("--queries", "FILE", "Mine for these queries, not for the runs' own.")]
    sources: Annotated[
        str,
        Option(
            ["--from", "sources"],
            metavar="SOURCE,…",
            default="dense,lexical,attributes",
            help="Sources that take turns: dense, lexical, attributes.",
        ),
    ]
    rankings: Annotated[
        tuple[Path, ...],
        Option(
            ["--run", "rankings"],
            metavar="FILE",
            type=FILE,
            multiple=True,
            help="A system's TREC run, two or more: mine what they disagree on.",
        ),
    ]
    encoder: Annotated[
        str,
        Option(
            ["--encoder"],
            metavar="NAME|DIR",
            default="minilm-l6",
            help="The encoder: minilm-l6, a folder, or owner/name[@revision].",
        ),
    ]
    top: Annotated[int | None, count("--top", "Products that a source proposes for a query.", metavar="K", default=50)]
    per_query: Annotated[int | None, count("--per-query", "Keep at most N pairs of a query.", default=20)]
    budget: Annotated[int | None, count("--budget", "Keep at most N pairs in all.")]
    sample: Annotated[
        int | None, count("--sample", "Pairs of the sample for people; 0 for none.", default=200, least=0)
    ]
    seed: Annotated[int | None, count("--seed", "Draws the sample.", default=0, least=None)]


@dataclass(frozen=True)
class MiningOutput:
    """What is written, or told."""

    out: Annotated[Path | None, file("--out", "FILE", "The .parquet file to write.")]
    worth: Annotated[
        Path | None, file("--worth", "RATINGS", "Show from people's grades how many of RUN's zeros are wrong.")
    ]
    skip_bad_rows: Annotated[
        bool, flag("--skip-bad-rows", "Set aside rows that cannot be used, count them, and continue.")
    ]
    overwrite: Annotated[bool, flag("--overwrite", "Replace what is already there.")]
    json: Annotated[bool, flag("--json", "Print JSON for machines.")]


@click.command()
@click.argument(
    "runs", metavar="RUN...", type=FILE, nargs=-1, required=True, help="Runs whose pairs are known already."
)
@click.option("--catalogue", metavar="FILE", type=FILE, help="Candidates with `candidate_id` and their texts.")
@takes(MiningParams)
@takes(EncodingParams)
@takes(GradeColumns)
@takes(MiningOutput)
def mine(
    output: MiningOutput,
    theirs: GradeColumns,
    text: EncodingParams,
    wanted: MiningParams,
    runs: tuple[Path, ...],
    catalogue: Path | None,
) -> None:
    """Find the pairs that are worth judging next. Near in meaning or words, off by one attribute, or disputed.

    They are candidates, not negatives: label the file, have people grade its sample, and check its
    zeros.

    \b
    Example:
      judge mine runs/monday --catalogue products.csv --out mined.parquet
      judge label mined.parquet --catalogue products.csv --out runs/mined
      judge mine runs/mined --worth mined.sample.csv
    """
    from judge.run.store import Run

    opened = [Run.open(path) for path in runs]
    if output.worth is not None:
        if output.out or catalogue or wanted.queries or wanted.rankings or len(runs) > 1:
            raise InputError("--worth reads one RUN and people's grades", "leave the options of mining out")
        layout = replace(theirs.layout(skip_bad_rows=output.skip_bad_rows), encoding=text.encoding)
        found = _worth(opened[0], output.worth, layout, wanted.top or 1)
        show_json(found.model_dump() | {"advice": _advice(found)}) if output.json else _show_worth(found)
        return
    if theirs.rating or theirs.grades:
        raise InputError("--rating and --grades are of people's grades", "give them with --worth, or leave them out")
    if output.out is None or catalogue is None:
        raise missing_options({"--catalogue": ("FILE", catalogue), "--out": ("FILE.parquet", output.out)})
    from mine.mining import Mining, MiningConfig

    names = tuple(read_names(wanted.sources))
    default = click.get_current_context().get_parameter_source("sources") is ParameterSource.DEFAULT
    config = MiningConfig(
        sources=() if wanted.rankings and default else names,
        encoder=wanted.encoder,
        top=wanted.top or 0,
        per_query=wanted.per_query or 0,
        budget=wanted.budget,
        rankings=wanted.rankings,
        sample=wanted.sample or 0,
        seed=wanted.seed or 0,
        skip_bad_rows=output.skip_bad_rows,
        encoding=text.encoding,
    )
    job = Mining(opened, catalogue, output.out, config, wanted.queries, theirs.mapping)
    with stages() as progress:
        account = job.run(progress, overwrite=output.overwrite)
    show_json(account.model_dump()) if output.json else _show(account, output.out, opened[0], catalogue)


def _show(account: "MiningAccount", out: Path, run: "Run", catalogue: Path) -> None:
    from mine.writing import companion

    show(f"{counted(account.kept, 'pair')} in {out}", "")
    rows = [(f"proposed by {source}", f"{count:,}") for source, count in account.proposals.items()]
    rows += [("kept", f"{account.kept:,}")]
    rows += [(f"left out: {reason}", f"{count:,}") for reason, count in account.left_out.items()]
    rows += [(f"kept, relation {name}", f"{count:,}") for name, count in account.kept_by_relation.items()]
    for name, side, used in (("products", account.catalogue, "products"), ("queries", account.queries, "asked")):
        rows.append((name, f"{side[used]:,}"))
        rows += [(f"{name} left out: {reason}", f"{count:,}") for reason, count in side["set_aside"].items()]
    more = [(f"products without {what}", account.catalogue[f"without_{what}"]) for what in ("category", "attributes")]
    more += [("queries that are understood", account.queries["understood"])]
    more += [("queries that equal a title", account.queries["equal_to_a_title"])]
    more += [("queries without a candidate", account.queries["without_candidates"])]
    if "rankings" in account.proposals:
        more += [("ranked, and not in the catalogue", account.not_in_catalogue)]
        more += [("ranked queries that are not mined for", account.other_queries)]
    show_table(rows + [(name, f"{count:,}") for name, count in more], right=(1,))
    if account.proposals.get("attributes") == 0:
        show("", f"attributes proposes nothing: {_no_attributes(account, run)}")
    if not account.kept:
        show("", "no pair is left to label: see what was left out above, or name more sources with --from")
        return
    options = f"{map_options(account.map)}{_guideline_option(run)}{_judge_options(run)}"
    files = f"{shlex.quote(str(out))} --catalogue {shlex.quote(str(catalogue))}"
    show("", f"next: judge label {files} --out DIR{options}")
    sample = companion(out, "sample.csv")
    if sample.exists():
        show(f"for people to grade: {sample}")


def _no_attributes(account: "MiningAccount", run: "Run") -> str:
    """Why no relation to what a query asks for is known."""
    from judge.search.reading import without_category

    if account.catalogue["without_category"] == account.catalogue["products"]:
        return f"no product has a category ({without_category(run.manifest.policy)})"
    return "no query asks for a category and a value of a product that are understood"


def _guideline_option(run: "Run") -> str:
    """A run's guideline as an option after a space; none where it is the default."""
    from judge.words.guideline import DEFAULT, load_guideline, names

    policy = run.manifest.policy.policy
    name = next((name for name in names() if load_guideline(name).policy == policy), "FILE")
    return "" if name == DEFAULT else f" --guideline {name}"


def _judge_options(run: "Run") -> str:
    """Who labelled a run, as options after a space; none where it is the default, or where no option names it."""
    manifest = run.manifest
    parts = manifest.parts
    name = parts.get("judge") or ""
    if name == "fake":
        return " --engine fake"
    if not name or manifest.by_people or manifest.members or parts.get("adapter") or parts.get("endpoint"):
        return ""
    if parts.get("revision") and "/" in name:
        name = f"{name}@{parts['revision']}"
    return "" if name == default_judge("transformers") else f" --judge {shlex.quote(name)}"


def _worth(run: "Run", ratings: Path, layout: "RatingsLayout", top: int) -> "Worth":
    from relevance_judge.mining import worth_of

    with input_file(ratings) as (path, name):
        return worth_of(run, path, name, layout, top)


def _advice(found: "Worth") -> dict[str, str]:
    return {f"{group.by} {group.group}": group.advice for group in found.groups}


def _show_worth(found: "Worth") -> None:
    show(f"{counted(found.rated, 'mined pair')} of {found.pairs:,} rated by people", "")
    head = ("zeros of", "zeros", "rated", "queries", "wrong", "95% by query", "train on them")
    rows = []
    for group in found.groups:
        interval = "–" if group.low is None or group.high is None else f"{group.low:.2f} to {group.high:.2f}"
        share = "–" if group.share is None else f"{group.share:.2f}"
        name = group.group if group.by == "all" else f"{group.by} {group.group}"
        rows.append((name, f"{group.zeros:,}", f"{group.rated:,}", f"{group.queries:,}", share, interval, group.advice))
    if rows:
        show_table(rows, head=head, right=(1, 2, 3, 4))
    else:
        show("none of them has the lowest grade: there is no zero to check")
    if found.classes:
        show("")
        show_table([(name, f"{count:,}") for name, count in found.classes.items()], ("rankings", "pairs"), (1,))
    if found.loud:
        names = ", ".join(group.group for group in found.loud)
        show("", f"WARNING: more than 15% of these zeros are relevant: {names}. Do not train on them as negatives.")
