"""One run by several workers: what `judge label` does with --plan, --shard and --on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
from click import Option
from click.core import ParameterSource

from judge.records import counted
from relevance_judge.cli.grading import GradingParams, RowParams, RunOutput
from relevance_judge.cli.interrupts import stoppable
from relevance_judge.cli.output import say, show, show_json
from relevance_judge.cli.params import count, file, refuse_others, text
from relevance_judge.cli.plan import asked_judge, make_plan
from relevance_judge.cli.serving import LabellingParams
from relevance_judge.progress import progress

if TYPE_CHECKING:
    from judge.labelling.ray_cluster import Cluster
    from judge.run.plan import FailedStretch
    from judge.run.store import Run

JUDGE = ("judge", "engine", "url", "guideline", "adapter", "engine_config", *GradingParams.__dataclass_fields__)
UNUSED = ("dry_run", "price", "examples", "shots", "samples", "per_request", "concurrency")
"""What a cluster's workers are not told."""
CLUSTER = ("on", "ray_address", "workers", "gpus_per_worker")


@dataclass(frozen=True)
class WorkerParams:
    """Which part of a planned run is labelled, and where."""

    plan: Annotated[Path | None, file("--plan", "RUN", "Label a run of `judge plan`; needs --shard or --on.")]
    shard: Annotated[str | None, text("--shard", "i/N", "Label the i-th of N shares of the plan; any number at once.")]
    on: Annotated[
        str | None, Option(["--on"], type=click.Choice(("ray",)), help="Have workers of a Ray cluster label it all.")
    ]
    ray_address: Annotated[
        str | None,
        text("--ray-address", "ADDRESS", "auto, HOST:PORT or ray://HOST:PORT; Ray on this machine unless given."),
    ]
    workers: Annotated[int | None, count("--workers", "Ray: workers; unless given, as many as GPUs or machines.")]
    gpus_per_worker: Annotated[
        float,
        Option(["--gpus-per-worker"], metavar="N", type=click.FloatRange(0), default=0.0, help="Ray: GPUs of each."),
    ]

    def cluster(self) -> "Cluster | None":
        """Where workers run; null where this process is the worker.

        Raises:
            InputError: Options of a cluster are given, and no cluster is meant.
        """
        from judge.labelling.ray_cluster import Cluster

        if self.on is None:
            self.refuse(*CLUSTER[1:])
            return None
        return Cluster(self.ray_address, self.workers, self.gpus_per_worker)

    def refuse(self, *names: str) -> None:
        """Refuse options of a cluster where none is meant, and unless `names` are given, a share of no plan.

        Raises:
            InputError: One was given.
        """
        from judge.errors import InputError

        context = click.get_current_context()
        for name in names or ("shard", *CLUSTER[1:]):
            if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
                which = "--plan RUN" if name == "shard" else "--on ray"
                raise InputError(f"--{name.replace('_', '-')} is for {which}", f"add {which}, or leave it out")


def label_plan(fleet: WorkerParams, who: LabellingParams, grading: GradingParams, json: bool) -> "Run | None":
    """Label a planned run: one share of it, which is told here, or all of it; the run is finished then, and returned.

    Raises:
        EngineError: Stretches were given up.
    """
    from judge.run.store import Run

    assert fleet.plan is not None
    refuse_others("--plan", "plan", "shard", "json", *CLUSTER, *JUDGE)
    context = click.get_current_context()
    given = {name for name in JUDGE if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    given |= {"model"} if "judge" in given else set()
    asked = {name: value for name, value in asked_judge(who, grading).items() if name in given}
    run, cluster = Run.open(fleet.plan), fleet.cluster()
    before = _label(run, asked, fleet.shard, cluster)
    if cluster is not None:
        return run
    if json:
        show_json({"run": str(run.path), "shard": fleet.shard, "rows": before["rows"], "had": before["done"]})
    else:
        show(f"shard {fleet.shard}: {counted(before['rows'], 'row')} labelled, {before['done']:,} of them before")
    return None


def label_on_cluster(
    fleet: WorkerParams, who: LabellingParams, grading: GradingParams, rows: RowParams, pairs: Path, output: RunOutput
) -> "Run":
    """Plan a run and have a cluster label it; returns it finished.

    Raises:
        EngineError: Stretches were given up; the others are labelled.
    """
    from judge.errors import InputError
    from judge.run.store import Run

    assert output.out is not None
    source = click.get_current_context().get_parameter_source
    if unused := [name for name in UNUSED if source(name) is ParameterSource.COMMANDLINE]:
        raise InputError(f"--on ray does not use --{unused[0].replace('_', '-')}", "leave it out")
    if fleet.shard is not None:
        raise InputError("--shard is for --plan RUN", "leave it out, or plan first with `judge plan`")
    run, cluster = Run(output.out), fleet.cluster()
    with stoppable("the same command resumes where it stopped"), run.writing():
        make_plan(run, who, grading, rows, pairs)
    _label(run, asked_judge(who, grading), None, cluster)
    return run


def _label(run: "Run", asked: dict[str, Any], shard: str | None, cluster: "Cluster | None") -> dict[str, int]:
    """Label, and raise what was given up; returns `rows` and, of them, `done` before."""
    from judge.labelling.on_ray import check_made
    from relevance_judge.scaling import label_planned

    told = {"rows": 0, "done": 0}

    @contextmanager
    def watch(rows: int, done: int) -> Iterator[Callable[[int], None]]:
        told.update(rows=rows, done=done)
        say("starting workers" if cluster else "loading the judge")
        with progress("judging", rows, done) as advance:
            yield advance

    failed: list[FailedStretch]
    with stoppable("the same command resumes where it stopped"):
        failed = label_planned(run, asked, shard, cluster, watch)
    check_made(failed, run)
    return told
