"""`judge label`: grade every pair."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
from click import Option

from relevance_judge.cli.interrupts import stoppable
from relevance_judge.cli.options import PairParams
from relevance_judge.cli.output import reading_notes, say, show, show_json, show_summary, show_table, usage_rows
from relevance_judge.cli.params import FILE, count, file, flag, takes, text
from relevance_judge.cli.serving import LabellingParams, note_other_base
from relevance_judge.cli.stdin import input_file
from relevance_judge.progress import progress

if TYPE_CHECKING:
    from judge.calibration.abstain import Threshold
    from judge.labelling.job import Labelling
    from judge.run.manifest import Manifest
    from judge.run.usage import Price

SAMPLE = 48
"""Pairs that a dry run scores."""


@dataclass(frozen=True)
class RowParams(PairParams):
    """How a file of pairs is read, and how much of it."""

    limit: Annotated[int | None, count("--limit", "Label the first N rows only.")]
    skip_bad_rows: Annotated[
        bool, flag("--skip-bad-rows", "Record rows that cannot be used as skipped, with the reason, and go on.")
    ]


@dataclass(frozen=True)
class GradingParams:
    """How a judge's probabilities become grades."""

    max_noise: Annotated[
        float | None,
        Option(
            ["--max-noise"],
            metavar="SHARE",
            type=float,
            help="Abstain on uncertain pairs so that at most this share of grades is wrong.",
        ),
    ]
    calibration: Annotated[
        Path | None,
        file("--calibration", "FILE", "What `judge calibrate` wrote, or none; a fine-tuned judge brings its own."),
    ]
    force_guideline: Annotated[
        bool, flag("--force-guideline", "Ask a fine-tuned judge by another guideline than its own all the same.")
    ]


@dataclass(frozen=True)
class RunOutput:
    """Where labels go."""

    out: Annotated[Path | None, file("--out", "RUN", "The run directory to write, or to go on with.")]
    dry_run: Annotated[
        bool, flag("--dry-run", "Write nothing: judge a small sample and estimate time, tokens and cost.")
    ]
    price: Annotated[
        str | None, text("--price", "in=X,out=Y", "chat: what a million tokens cost, to tell the run's cost.")
    ]
    json: Annotated[bool, flag("--json", "Print JSON for machines.")]


@click.command()
@click.argument(
    "pairs",
    metavar="PAIRS",
    type=FILE,
    help="CSV, TSV, JSONL or Parquet with `query, candidate_id`; `-` is standard input.",
)
@takes(RowParams)
@takes(LabellingParams)
@takes(GradingParams)
@takes(RunOutput)
def label(output: RunOutput, grading: GradingParams, who: LabellingParams, rows: RowParams, pairs: Path) -> None:
    """Grade every pair with an LLM judge, into a run directory.

    Killed at any moment, the same command goes on where it stopped.

    \b
    Example:
      judge label pairs.csv --catalogue products.jsonl --map candidate_id=sku --out runs/monday
    """
    from judge.engines.kinds import find_engine
    from judge.errors import InputError
    from judge.labelling.complete import complete
    from judge.labelling.config import JudgeRequest, resolve_judge
    from judge.labelling.job import Labelling
    from judge.pairs.stage import Source
    from judge.run.store import Run
    from judge.run.summary import summarise
    from judge.run.usage import read_price

    out = output.out
    if out is None and not output.dry_run:
        raise InputError("--out is missing", "say where the run directory shall be: --out RUN")
    name_of_judge = who.name
    rate = read_price(output.price) if output.price else None
    if rate and "price" not in find_engine(who.engine).flags:
        raise InputError(f"--engine {who.engine} does not use --price", "leave it out")
    policy, judge_config = resolve_judge(
        JudgeRequest(
            name_of_judge,
            who.guideline,
            grading.force_guideline,
            grading.calibration,
            grading.max_noise,
            who.chat,
        )
    )
    serving = who.serving(judge_config)
    with input_file(pairs) as (path, name):
        source = Source(path, rows.catalogue, rows.mapping, rows.limit, skip_bad_rows=rows.skip_bad_rows, name=name)
        source = replace(source, queries=rows.queries, encoding=rows.encoding)
        work = Labelling(source, policy, judge_config.model, serving, judge_config)
        if output.dry_run:
            _estimate(work, output.json, rate)
            return
        assert out is not None
        run = Run(out)
        with stoppable("the same command goes on where it stopped"), run.writing():
            done = complete(work, run, partial(_watch, work, name_of_judge), rate)
    summary = summarise(run)
    if output.json:
        show_json(summary.model_dump())
        return
    if done:
        show(f"{done:,} of {summary.rows:,} rows had their label already")
    show_summary(summary)
    if judge_config.threshold:
        show("", promise(judge_config.threshold))
    for note in reading_notes(summary.missing_fields, summary.passed_over):
        show("", note)
    show("", f"labels in {run.path} (fingerprint {summary.fingerprint})")


@contextmanager
def _watch(work: "Labelling", who: str, manifest: "Manifest", done: int) -> Iterator[Callable[[int], None]]:
    """Tell what is labelled, before the weights are loaded and while the judge works."""
    for note in reading_notes(manifest.missing_fields, manifest.passed_over):
        say(note)
    say(f"loading {who}" + (f" on {work.judge.model.name}" if work.judge_config.adapter else ""))
    note_other_base(work.judge)
    with progress("judging", manifest.rows, done) as advance:
        yield advance


def promise(threshold: "Threshold") -> str:
    """What a threshold promises, in a sentence."""
    return (
        f"graded from confidence {threshold.least:.3f} on: at most {threshold.budget:.1%} of grades wrong, with "
        f"{threshold.confidence:.0%} confidence (held out: {threshold.error:.1%} wrong of the {threshold.coverage:.0%} "
        f"graded, of {threshold.pairs:,} pairs)"
    )


def _estimate(work: "Labelling", json: bool, price: "Price | None") -> None:
    with tempfile.TemporaryDirectory(prefix="dry-run-") as folder:
        estimate = work.estimate(Path(folder), SAMPLE)
    bill = None
    if estimate.usage:
        bill = {**estimate.usage.model_dump(), "cost": price.cost(estimate.usage) if price else None}
    if json:
        show_json({**estimate.model_dump(), "usage": bill})
        return
    show_table(
        [
            ("input rows", f"{estimate.rows:,}"),
            ("pairs to judge", f"{estimate.pairs:,}"),
            *(
                [("tokens a pair, on average", f"{estimate.mean_tokens:,.0f}")]
                if estimate.mean_tokens is not None
                else []
            ),
            ("reading took", _duration(estimate.read_seconds)),
            ("loading the judge took", _duration(estimate.load_seconds)),
            (f"pairs per second, in a sample of {estimate.sample}", f"{estimate.pairs_per_second:,.1f}"),
            ("judging would take", _duration(estimate.judge_seconds)),
            *((f"{what}, estimated", count) for what, count, _ in usage_rows(bill)),
        ],
        right=(1,),
    )
    for note in reading_notes(estimate.missing_fields, estimate.passed_over):
        show("", note)
    show("", "nothing was written")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s"
