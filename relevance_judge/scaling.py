"""Runs that several processes or machines label: planned once, labelled in stretches, finished when all are there."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from judge.errors import InputError
from judge.run import store
from judge.run.plan import SHARD_PAIRS
from relevance_judge.asked import asked_of, findable, job_of
from relevance_judge.inputs import Rows, as_file, as_optional_file
from relevance_judge.judges import Judge, as_judge
from relevance_judge.progress import progress as bar
from relevance_judge.reading import ColumnMap, RowOptions, columns_of
from relevance_judge.runs import Run

if TYPE_CHECKING:
    from judge.labelling.ray_cluster import Cluster
    from judge.pairs.stage import Source
    from judge.run.plan import FailedStretch
    from judge.run.summary import Summary


@dataclass(frozen=True)
class Planned:
    """A run that is ready for its workers."""

    run: Run
    rows: int
    stretches: int


class PlannedOptions(TypedDict, total=False):
    """How a planned run is labelled."""

    plan: "Run | str | os.PathLike[str]"
    """A run of `plan`."""
    shard: str
    """`i/N`: label the i-th of N shares of it in this process."""
    on: Literal["ray"]
    """Have workers of a Ray cluster label all of it; then it is finished."""
    ray_address: str
    """`auto`, `host:port` or `ray://host:port`; Ray on this machine unless given."""
    workers: int
    """As many as GPUs or machines unless given."""
    gpus_per_worker: float
    """GPUs that each has to itself."""


def plan(
    pairs: Rows,
    *,
    out: str | os.PathLike[str],
    catalogue: Rows | None = None,
    judge: Judge | str | os.PathLike[str] | None = None,
    shard_pairs: int = SHARD_PAIRS,
    dtype: str | None = None,
    map: ColumnMap | None = None,
    skip_bad_rows: bool = False,
    **rows: Unpack[RowOptions],
) -> Planned:
    """Stage pairs once for several workers; they then label with `label(plan=…)`, and nothing reads the input again.

    The same call on a planned run changes nothing, and returns the plan.

    Args:
        pairs: Rows with `query, candidate_id` and, without a catalogue, the candidate's fields.
        out: The run directory to write, on a disk that all workers see.
        catalogue: Candidates with `candidate_id` and their texts.
        judge: A `Judge`, or the name of a model for one; `shop-135m` unless given.
        shard_pairs: Pairs of a stretch, at least: it ends where a query ends.
        dtype: The workers' number type, such as `bfloat16`, where it is not this machine's.
        map: Our names to the tables' columns, such as `{"candidate_id": "sku"}`.
        skip_bad_rows: Record rows that cannot be used as skipped, with the reason, and go on.
        rows: See `RowOptions`.

    Raises:
        InputError: A row or an option cannot be used.
        ModelError: The judge cannot be found.
        RunError: The directory holds another run or plan.
    """
    from judge.labelling.worker import plan_run

    if shard_pairs < 1:
        raise InputError(f"shard_pairs={shard_pairs}: is not a number of pairs", "give 1 or more")
    chosen, run = as_judge(judge), store.Run(Path(out))
    with run.writing(), pair_source(pairs, catalogue, run.path, map, skip_bad_rows, rows) as source:
        made = plan_run(run, replace(chosen.job(source), dtype=dtype), shard_pairs, asked_of(chosen))
    return Planned(Run(run.path), made.rows, len(made.stretches))


def status(run: "Run | str | os.PathLike[str]") -> "Summary":
    """What a run holds: counts, the rows that have no label yet, the stretches that failed, and the rate."""
    return (run if isinstance(run, Run) else Run.open(run)).summary


def finish(run: "Run | str | os.PathLike[str]") -> Run:
    """Check that every row of a planned run has its label, and say in its manifest that it is finished.

    Raises:
        RunError: Rows are left, the counts do not add up, or the pairs are not those that were planned.
    """
    from judge.labelling.worker import finish_run, planned

    stored = run.stored if isinstance(run, Run) else store.Run.open(Path(run))
    with stored.writing():
        finish_run(stored, planned(stored))
    return Run(stored.path)


@contextmanager
def pair_source(
    pairs: Rows,
    catalogue: Rows | None,
    folder: Path,
    map: ColumnMap | None,
    skip_bad_rows: bool,
    rows: Mapping[str, object] | None = None,
) -> "Iterator[Source]":
    """The pairs and products of a call as a labelling takes them; `rows` are `RowOptions`, or null where not given."""
    from judge.pairs.stage import Source
    from judge.ratings.remembered import read_as_mined

    with as_file(pairs, "pairs", folder) as (path, name), as_optional_file(catalogue, "catalogue", folder) as texts:
        source = Source(
            path, texts[0], columns_of(map), skip_bad_rows=skip_bad_rows, name=name, catalogue_name=texts[1]
        )
        told = {**(rows or {})}
        if (queries := told.get("queries")) is not None:
            told["queries"] = Path(str(queries))
        yield read_as_mined(replace(source, **told))  # type: ignore[arg-type]


def label_planned(
    run: store.Run,
    asked: Mapping[str, Any],
    shard: str | None,
    cluster: "Cluster | None",
    watch: Callable[[int, int], AbstractContextManager[Callable[[int], None]]] | None = None,
) -> "list[FailedStretch]":
    """Label a planned run: one shard of it in this process, or all of it by workers of a cluster.

    Args:
        run: The run.
        asked: Who judges, where it is said otherwise than in the plan.
        shard: `i/N`; null where a cluster labels all. No lock is held then.
        cluster: Where workers run.
        watch: Told how many rows there are and have a label; what it gives is called with how many got one.

    Returns:
        The stretches that were given up.

    Raises:
        InputError: There is no such shard, or the cluster does not answer.
        RunError: The run has no plan, its pairs have changed, or this worker's labels would not be the others'.
    """
    from judge.labelling.on_ray import label_on_ray
    from judge.labelling.worker import Worker, finish_run, planned
    from judge.run.coverage import size
    from judge.run.plan import Shard

    if (shard is None) == (cluster is None):
        raise InputError("--plan needs one of --shard i/N and --on ray", "say which part of the plan to label")
    plan, watch = planned(run), watch or (lambda rows, done: nullcontext(lambda count: None))
    made = {**plan.asked, **findable(asked)}  # Ray's workers stand in a folder of their own
    if cluster is not None:
        with run.writing():
            with watch(plan.rows, run.labelled()) as advance:
                failed = label_on_ray(run, plan, partial(job_of, made), cluster, advance)
            if not failed:
                finish_run(run, plan)
        return failed
    stretches = plan.shard(Shard.read(shard or ""))
    rows = size(stretches)
    left = sum(size(run.uncovered(stretch)) for stretch in stretches)
    with watch(rows, rows - left) as advance:
        return Worker(run, job_of(made, run), advance).label_all(stretches)


def label_by_workers(
    pairs: Rows | None,
    out: str | os.PathLike[str] | None,
    judge: "Judge | str | os.PathLike[str] | None",
    progress: bool,
    **how: Unpack[PlannedOptions],
) -> Run:
    """`label` of a planned run.

    Raises:
        InputError: The options contradict one another.
        EngineError: Stretches were given up; the others are labelled.
    """
    from judge.labelling.on_ray import check_made
    from judge.labelling.ray_cluster import Cluster

    if "plan" not in how or pairs is not None or out is not None:
        raise InputError("shard and on are for a planned run", "plan the pairs first, and give plan=RUN alone")
    given = how["plan"]
    run = given.stored if isinstance(given, Run) else store.Run.open(Path(given))
    cluster = None
    if (on := how.get("on")) not in (None, "ray"):
        raise InputError(f"on={on!r}: is unknown", 'give on="ray", or shard="i/N"')
    if on is None and how.keys() & {"ray_address", "workers", "gpus_per_worker"}:
        raise InputError(
            "ray_address, workers and gpus_per_worker are for a cluster", 'add on="ray", or leave them out'
        )
    if on:
        cluster = Cluster(how.get("ray_address"), how.get("workers"), how.get("gpus_per_worker", 0.0))
    asked = {} if judge is None else asked_of(as_judge(judge))
    failed = label_planned(
        run, asked, how.get("shard"), cluster, lambda rows, done: bar("judging", rows, done, shown=progress)
    )
    check_made(failed, run)
    return Run(run.path)
