"""`judge label`: grade every pair."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from judge.notes import missing_note
from judge.scratch import scratch_folder
from relevance_judge.cli.grading import ExampleParams, GradingParams, RowParams, RunOutput
from relevance_judge.cli.interrupts import stoppable
from relevance_judge.cli.output import (
    duration,
    say,
    show,
    show_json,
    show_summary,
    show_table,
    usage_rows,
)
from relevance_judge.cli.params import FILE, refuse_others, takes
from relevance_judge.cli.serving import LabellingParams, note_other_base
from relevance_judge.cli.stdin import input_file
from relevance_judge.cli.workers import WorkerParams, label_on_cluster, label_plan
from relevance_judge.progress import progress
from relevance_judge.serving import read_rate

if TYPE_CHECKING:
    from judge.calibration.abstain import Threshold
    from judge.labelling.job import Labelling
    from judge.run.manifest import Manifest
    from judge.run.store import Run
    from judge.run.usage import Price

SAMPLE = 48
"""Pairs that a dry run scores."""


@click.command()
@click.argument(
    "pairs",
    metavar="PAIRS",
    type=FILE,
    nargs=-1,
    help="CSV, TSV, JSONL or Parquet with `query, candidate_id`; `-` is standard input. With --ensemble, runs.",
)
@click.option("--ensemble", is_flag=True, help="Average finished runs of the same pairs instead of asking a judge.")
@takes(RowParams)
@takes(LabellingParams)
@takes(GradingParams)
@takes(ExampleParams)
@takes(RunOutput)
@takes(WorkerParams)
def label(
    fleet: WorkerParams,
    output: RunOutput,
    shown: ExampleParams,
    grading: GradingParams,
    who: LabellingParams,
    rows: RowParams,
    pairs: tuple[Path, ...],
    ensemble: bool,
) -> None:
    """Grade every pair with an LLM judge, into a run directory.

    Killed at any moment, the same command resumes where it stopped.

    \b
    Example:
      judge label pairs.csv --catalogue products.jsonl --map candidate_id=sku --out runs/monday
      judge label --ensemble runs/small runs/large --out runs/both
      judge label --plan runs/big --shard 3/64
    """
    from judge.errors import InputError

    if fleet.plan is not None:
        if planned := label_plan(fleet, who, grading, output.json):
            _show(planned, output)
        return
    if not pairs:
        raise InputError("PAIRS is missing", "name the file of pairs, or a planned run: --plan RUN --shard i/N")
    if output.out is None and not output.dry_run:
        raise InputError("--out is missing", "name the run directory: --out RUN")
    if ensemble:
        _average(pairs, output)
        return
    if len(pairs) > 1:
        raise InputError(
            f"{len(pairs)} files of pairs are named, and one is labelled at a time",
            "name one; to average finished runs, add --ensemble",
        )
    if fleet.on is not None:
        _show(label_on_cluster(fleet, who, grading, rows, pairs[0], output), output)
        return
    fleet.refuse()
    _label_one(pairs[0], output, shown, grading, who, rows)


def _label_one(
    pairs: Path,
    output: RunOutput,
    shown: ExampleParams,
    grading: GradingParams,
    who: LabellingParams,
    rows: RowParams,
) -> None:
    """Label a file in this process, or estimate how long it would take."""
    from judge.labelling.complete import complete
    from judge.labelling.job import Labelling
    from judge.labelling.resolve import JudgeRequest, resolve_judge
    from judge.run.store import Run

    rate = read_rate(who.engine, output.price)
    policy, judge_config = resolve_judge(
        JudgeRequest(who.name, who.guideline, grading.force_guideline, grading.calibration, grading.max_noise, who.chat)
    )
    serving = who.serving(judge_config)
    with input_file(pairs) as (path, name):
        source = rows.source(path, name)
        examples = None
        if shown.examples is not None or shown.shots is not None:
            from relevance_judge.labelling import examples_of

            examples = examples_of(shown.examples, shown.shots, source, policy)
        work = Labelling(source, policy, judge_config.model, serving, judge_config, examples=examples)
        if output.dry_run:
            _estimate(work, output.json, rate)
            return
        assert output.out is not None
        run = Run(output.out)
        with stoppable("the same command resumes where it stopped"), run.writing():
            done = complete(work, run, partial(watch, work, who.name), rate)
    _show(run, output, done, judge_config.threshold)


def _show(run: "Run", output: RunOutput, done: int = 0, threshold: "Threshold | None" = None) -> None:
    """What a run holds, of whose rows so many had their label before."""
    from judge.run.summary import summarise

    summary = summarise(run)
    if output.json:
        show_json(summary.model_dump())
        return
    if done:
        show(f"{done:,} of {summary.rows:,} rows had their label already")
    show_summary(summary)
    if threshold:
        show("", promise(threshold))
    if note := missing_note(summary.missing_fields):
        show("", note)
    show("", f"labels in {run.path} (fingerprint {summary.fingerprint})")


def _average(runs: Sequence[Path], output: RunOutput) -> None:
    """Write an ensemble, and what it holds."""
    from judge.labelling.ensemble import ensemble_run
    from judge.run.store import Run

    refuse_others("--ensemble", "pairs", "ensemble", "out", "json")
    assert output.out is not None
    run = Run(output.out)
    with stoppable("the same command resumes where it stopped"), run.writing():
        ensemble_run(run, [Run.open(path) for path in runs])
    _show(run, output)


@contextmanager
def watch(work: "Labelling", who: str, manifest: "Manifest", done: int) -> Iterator[Callable[[int], None]]:
    """Tell what is labelled, before the weights are loaded and while the judge works."""
    if note := missing_note(manifest.missing_fields):
        (partial(show, err=True) if "title" in manifest.missing_fields else say)(note)
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
    with scratch_folder("dry-run") as folder:
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
            ("reading took", duration(estimate.read_seconds)),
            ("loading the judge took", duration(estimate.load_seconds)),
            (f"pairs per second, in a sample of {estimate.sample}", f"{estimate.pairs_per_second:,.1f}"),
            ("judging would take", duration(estimate.judge_seconds)),
            *((f"{what}, estimated", count) for what, count, _ in usage_rows(bill)),
        ],
        right=(1,),
    )
    if note := missing_note(estimate.missing_fields):
        show("", note)
    show("", "nothing was written")
