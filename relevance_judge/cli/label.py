"""`judge label`: grade every pair."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relevance_judge.cli.interrupts import stoppable
from relevance_judge.cli.options import Catalogue, Encoding, Json, Map, Queries, SkipBadRows, input_file, read_map
from relevance_judge.cli.output import (
    reading_notes,
    say,
    show,
    show_json,
    show_summary,
    show_table,
    usage_rows,
)
from relevance_judge.cli.serving import (
    Adapter,
    Concurrency,
    EngineConfig,
    EngineName,
    JudgeGuideline,
    JudgeName,
    PerRequest,
    Samples,
    Url,
    note_other_base,
)
from relevance_judge.progress import progress
from relevance_judge.serving import default_judge, read_serving

if TYPE_CHECKING:
    from judge.calibration.abstain import Threshold
    from judge.labelling.job import Labelling
    from judge.run.manifest import Manifest
    from judge.run.usage import Price

SAMPLE = 48
"""Pairs that a dry run scores."""


def label(
    pairs: Annotated[
        Path,
        typer.Argument(
            metavar="PAIRS", help="CSV, TSV, JSONL or Parquet with `query, candidate_id`; `-` is standard input."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="RUN", help="The run directory to write, or to go on with.")
    ] = None,
    catalogue: Catalogue = None,
    guideline: JudgeGuideline = None,
    judge: JudgeName = None,
    engine: EngineName = "transformers",
    url: Url = None,
    engine_config: EngineConfig = None,
    adapter: Adapter = None,
    samples: Samples = None,
    per_request: PerRequest = None,
    concurrency: Concurrency = None,
    price: Annotated[
        str | None,
        typer.Option("--price", metavar="in=X,out=Y", help="chat: what a million tokens cost, to tell the run's cost."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Label the first N rows only.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing: judge a small sample and estimate time, tokens and cost.")
    ] = False,
    max_noise: Annotated[
        float | None,
        typer.Option(
            "--max-noise", metavar="SHARE", help="Leave to people what would push the error among grades above this."
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration", metavar="FILE", help="What `judge calibrate` wrote, or none; a taught judge brings one."
        ),
    ] = None,
    force_guideline: Annotated[
        bool,
        typer.Option("--force-guideline", help="Ask a taught judge by another guideline all the same."),
    ] = False,
    skip_bad_rows: SkipBadRows = False,
    queries: Queries = None,
    encoding: Encoding = None,
    map_: Map = None,
    json: Json = False,
) -> None:
    """Grade every pair with an LLM judge, into a run directory.

    Killed at any moment, the same command goes on where it stopped.

    \b
    Example:
      judge label pairs.csv --catalogue products.jsonl --map candidate_id=sku --out runs/monday
    """
    from judge.errors import InputError
    from judge.labelling.complete import complete
    from judge.labelling.config import JudgeRequest, resolve_judge
    from judge.labelling.job import Labelling
    from judge.pairs.stage import Source
    from judge.run.store import Run
    from judge.run.summary import summarise
    from judge.run.usage import read_price

    if out is None and not dry_run:
        raise InputError("--out is missing", "say where the run directory shall be: --out RUN")
    who = judge or default_judge(engine)
    rate = read_price(price) if price else None
    if rate and engine != "chat":
        raise InputError(f"--engine {engine} does not use --price", "leave it out")
    policy, judge_config = resolve_judge(
        JudgeRequest(who, guideline, force_guideline, calibration, max_noise, engine == "chat")
    )
    chat = {"samples": samples, "per_request": per_request, "concurrency": concurrency}
    serving = read_serving(engine, url, engine_config, adapter, judge_config.adapter, judge, **chat)
    with input_file(pairs) as (path, name):
        source = Source(path, catalogue, read_map(map_), limit, skip_bad_rows=skip_bad_rows, name=name)
        source = replace(source, queries=queries, encoding=encoding)
        work = Labelling(source, policy, judge_config.model, serving, judge_config)
        if dry_run:
            _estimate(work, json, rate)
            return
        assert out is not None
        run = Run(out)
        with stoppable("the same command goes on where it stopped"), run.writing():
            done = complete(work, run, partial(_watch, work, who), rate)
    summary = summarise(run)
    if json:
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
