"""`judge plan`: stage pairs once for several workers."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click

from judge.notes import missing_note
from judge.records import counted
from judge.run.plan import SHARD_PAIRS
from relevance_judge.cli.grading import GradingParams, RowParams
from relevance_judge.cli.output import show, show_json
from relevance_judge.cli.params import FILE, count, file, flag, takes, text
from relevance_judge.cli.serving import JudgeParams
from relevance_judge.cli.stdin import input_file

if TYPE_CHECKING:
    from judge.run.plan import Plan
    from judge.run.store import Run


@dataclass(frozen=True)
class PlanParams:
    """What is planned, and where to."""

    out: Annotated[Path, file("--out", "RUN", "The run directory to write; all workers must see it.", required=True)]
    shard_pairs: Annotated[
        int, count("--shard-pairs", "Pairs of a stretch, at least: it ends where a query ends.", default=SHARD_PAIRS)
    ]
    dtype: Annotated[
        str | None,
        text("--dtype", "NAME", "The workers' number type, where it is not this machine's: bfloat16 on GPUs."),
    ]
    json: Annotated[bool, flag("--json", "Print JSON for machines.")]


@click.command()
@click.argument(
    "pairs", metavar="PAIRS", type=FILE, help="As for `judge label`: a file, or a folder or pattern of Parquet files."
)
@takes(RowParams)
@takes(JudgeParams)
@takes(GradingParams)
@takes(PlanParams)
def plan(output: PlanParams, grading: GradingParams, who: JudgeParams, rows: RowParams, pairs: Path) -> None:
    """Stage pairs once, for workers that label them together.

    Workers are started with `judge label --plan RUN --shard i/N`, by whatever starts processes, or by Ray.

    \b
    Example:
      judge plan pairs/ --catalogue products.parquet --out runs/big
      judge label --plan runs/big --shard 3/64
      judge status runs/big
      judge finish runs/big
    """
    from judge.run.store import Run

    run = Run(output.out)
    with run.writing():
        made = make_plan(run, who, grading, rows, pairs, output.shard_pairs, output.dtype)
    manifest = run.manifest
    if output.json:
        show_json(
            {
                "run": str(run.path),
                "rows": made.rows,
                "stretches": len(made.stretches),
                "shard_pairs": made.shard_pairs,
                "fingerprint": manifest.fingerprint,
                "dtype": manifest.parts.get("dtype"),
                "missing_fields": manifest.missing_fields,
            }
        )
        return
    show(f"{counted(made.rows, 'row')} in {counted(len(made.stretches), 'stretch')}: {run.path}")
    if note := missing_note(manifest.missing_fields):
        show("", note)
    if kind := manifest.parts.get("dtype"):
        show("", f"workers must compute in {kind}; for others, plan with --dtype")
    name = shlex.quote(str(run.path))
    if run.labelled() == made.rows:
        show("", f"every pair has its label already: no worker is needed; `judge finish {name}` checks them")
        return
    show(
        "", f"start workers: judge label --plan {name} --shard i/N, with i from 1 to N, N up to {len(made.stretches):,}"
    )


def make_plan(
    run: "Run",
    who: JudgeParams,
    grading: GradingParams,
    rows: RowParams,
    pairs: Path,
    shard_pairs: int | None = None,
    dtype: str | None = None,
) -> "Plan":
    """Plan a run, in the stretches that it has already where none are asked for; the caller holds `run.writing()`.

    Raises:
        InputError, ModelError: Something the user gave cannot be used.
        RunError: The directory holds another run, or another plan.
    """
    from judge.labelling.worker import plan_run
    from relevance_judge.asked import asked_of
    from relevance_judge.judges import Judge

    judge = Judge(**asked_judge(who, grading))
    with input_file(pairs) as (path, name):
        job = replace(judge.job(rows.source(path, name)), dtype=dtype)
        return plan_run(run, job, shard_pairs, asked_of(judge))


def asked_judge(who: JudgeParams, grading: GradingParams) -> dict[str, Any]:
    """Who judges, as `relevance_judge.Judge` takes it."""
    return {
        "model": who.judge,
        "engine": who.engine,
        "url": who.url,
        "guideline": who.guideline,
        "adapter": who.adapter,
        "engine_config": who.engine_config,
        "calibration": grading.calibration,
        "max_noise": grading.max_noise,
        "force_guideline": grading.force_guideline,
    }
