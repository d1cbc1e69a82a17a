"""A worker of a planned run: it takes stretches, checks that it would give the labels of the others, and holds no lock.

Work may be done twice, and its outcome is kept once: a part's name is the position of its first row, and the first to
write it has it. So a worker that was thought lost and comes back does no harm.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, get_args

from judge.engines import Builder, Engine
from judge.engines.options import NumberType
from judge.errors import EngineError, InputError, JudgeError, RunError
from judge.files import now, write_whole
from judge.fingerprint import Fingerprint, file_digest
from judge.labelling.begin import fingerprint
from judge.labelling.blending import plain_hint
from judge.labelling.job import Labelling
from judge.labelling.label import label_run
from judge.places import check_writable
from judge.run.coverage import Interval
from judge.run.plan import (
    SHARD_PAIRS,
    FailedStretch,
    Plan,
    footer_digest,
    forget_failure,
    make_plan,
    note_failure,
    read_plan,
)
from judge.run.store import Run

TRIES = 3
"""How often a stretch is tried that ends with an error; one whose worker is lost is tried without end."""


def plan_run(run: Run, job: Labelling, shard_pairs: int | None, asked: Mapping[str, Any]) -> Plan:
    """Stage the pairs once, and lay down which stretches of them workers take; the caller holds `run.writing()`.

    Args:
        run: The run's directory. One that was begun, and what is labelled of it, stays.
        job: What to label, and who judges.
        shard_pairs: Rows of a stretch, at least; null for those of the plan that is there, or else `SHARD_PAIRS`.
        asked: Who judges, in the options that a worker is started with.

    Raises:
        InputError, ModelError: Something the user gave cannot be used.
        RunError: The directory holds another run, or another plan.
    """
    _one_asks(job)
    if job.dtype not in (None, *(types := get_args(NumberType))):
        raise InputError(f"--dtype {job.dtype}: is not a type of numbers", f"give one of {', '.join(types)}")
    job.begin(run)
    if not run.plan_path.is_file():
        made = make_plan(run.pairs_path, shard_pairs or SHARD_PAIRS, asked)
        write_whole(run.plan_path, made.model_dump_json(indent=2).encode())
    plan = planned(run)
    if shard_pairs and plan.shard_pairs != shard_pairs:
        raise RunError(
            f"{run.path}: was planned in stretches of {plan.shard_pairs:,} pairs, not {shard_pairs:,}",
            f"give --shard-pairs {plan.shard_pairs}, or another --out",
        )
    return plan


def _one_asks(job: Labelling) -> None:
    if job.judge.chat:
        raise InputError(
            "a chat endpoint is asked by one process, which keeps its answers",
            "label without a plan, with --concurrency",
        )


def finish_run(run: Run, plan: Plan) -> None:
    """Check that every row of a planned run has one label, of the pairs that were planned, and say so in its manifest;
    the caller holds `run.writing()`.

    Raises:
        RunError: Rows are left, or do not add up, or the pairs were changed.
    """
    run.check_finished()
    if file_digest(run.pairs_path) != plan.digest:
        raise RunError(
            f"{run.path}: pairs.parquet has changed since it was planned", "restore it, or label into a new directory"
        )
    run.finish()


def planned(run: Run) -> Plan:
    """The plan of a run, whose pairs are still those that were planned.

    Raises:
        RunError: It has none, or its pairs are others.
    """
    if not run.plan_path.is_file():
        raise RunError(f"{run.path}: has no plan", "plan it first: `judge plan PAIRS --out RUN`")
    plan = read_plan(run.plan_path)
    if footer_digest(run.pairs_path) != plan.footer or plan.rows != run.manifest.rows:
        raise RunError(
            f"{run.path}: its pairs are not those that were planned: pairs.parquet has changed",
            "plan the pairs again, into a new directory",
        )
    return plan


@dataclass(frozen=True)
class Worker:
    """One process that labels stretches of a planned run.

    Args:
        run: The run; its manifest and its pairs are on disk.
        job: Who judges; its pairs are those of the run.
        progress: Called with the number of rows that have been labelled since the last call.
    """

    run: Run
    job: Labelling
    progress: Callable[[int], None] = field(default=lambda rows: None)

    def check(self) -> None:
        """Refuse a worker whose labels would not be those of the others; nothing has been written then.

        Raises:
            RunError: Its judge, guideline, number type or version is another than was planned, or the pairs are.
            InputError: Its judge is one that several workers cannot ask.
        """
        planned(self.run)
        _one_asks(self.job)
        made = fingerprint(self.job.guideline, self.job.parts)
        if lines := Fingerprint(parts=self.run.manifest.parts).differences(made):
            listed = "".join(f"\n  {line}" for line in lines)
            raise RunError(
                f"{self.run.path}: was planned for other workers than this one; what differs:{listed}",
                "start workers of one kind: the same judge, guideline, number type and version of the toolkit"
                + plain_hint(self.job.judge_config.calibration, self.run.manifest.calibration),
            )

    @cached_property
    def _ready(self) -> tuple[Builder, Engine]:
        self.check()
        check_writable(self.run.labels_path, fix="run workers where they may write the run")
        return self.job.builder(), self.job.open()

    def label(self, stretch: Interval) -> None:
        """Label what of a stretch has no label yet.

        Raises:
            RunError, InputError, ModelError: This worker cannot label any.
            Exception: The stretch could not be labelled.
        """
        builder, engine = self._ready
        label_run(self.run, builder, engine, self.progress, self.job.judge_config, stretch)
        forget_failure(self.run.path, stretch[0])

    def label_all(self, stretches: Sequence[Interval]) -> list[FailedStretch]:
        """Label stretches one after the other; those that fail `TRIES` times are given up, and the others go on.

        Raises:
            RunError, InputError, ModelError: This worker cannot label any.
        """
        left = [stretch for stretch in stretches if self.run.uncovered(stretch)]
        if left:
            _ = self._ready
        else:
            self.check()  # no judge is loaded for nothing
        failed = []
        for stretch in left:
            for tries in range(1, TRIES + 1):
                try:
                    self.label(stretch)
                    break
                except Exception as error:
                    if is_fatal(error):
                        raise
                    if tries == TRIES:
                        failed.append(give_up(self.run, stretch, tries, told(error)))
        return failed


def is_fatal(error: BaseException) -> bool:
    """Whether an error is of a worker, whichever stretch it takes."""
    return isinstance(error, JudgeError) and not isinstance(error, EngineError)


def told(error: BaseException) -> str:
    """What an error says, on one line."""
    said = error.message if isinstance(error, JudgeError) else f"{type(error).__name__}: {error}"
    return " ".join(said.split())[:500]


def give_up(run: Run, stretch: Interval, tries: int, error: str) -> FailedStretch:
    """Note that a stretch is tried no more: `judge status` names it."""
    failed = FailedStretch(start=stretch[0], end=stretch[1], tries=tries, error=error, time=now())
    note_failure(run.path, failed)
    return failed


def unfinished(run: Run, stretches: Sequence[Interval]) -> list[Interval]:
    """Those of a plan's stretches, in judging order, that have rows without a label."""
    starts = [start for start, _ in stretches]
    touched = {bisect_right(starts, start) - 1 for start, _ in run.uncovered()}
    return [stretch for index, stretch in enumerate(stretches) if index in touched]
