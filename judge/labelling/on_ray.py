"""A planned run labelled by workers of a Ray cluster: Ray starts processes, and everything else is as without it.

Each worker is an actor that loads the judge once and takes one stretch after the other. Where its process or its
machine is lost, Ray starts it anew and the stretch is done again, without end; an error is tried on other workers, up
to `TRIES` times. Nothing of the run depends on what Ray remembers: killed and begun again, what is labelled is there.
"""

import shlex
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judge.errors import EngineError, JudgeError, safe
from judge.labelling.job import Labelling
from judge.labelling.ray_cluster import Cluster, connected, worker_count
from judge.labelling.worker import TRIES, Worker, give_up, is_fatal, told, unfinished
from judge.notes import note
from judge.run.coverage import Interval
from judge.run.plan import FailedStretch, Plan
from judge.run.store import Run

WATCH = 1.0
"""Seconds between two looks at what has been labelled."""

Make = Callable[[Run], Labelling]
"""Gives a worker's job; goes to its process as it is."""


@dataclass(frozen=True)
class Outcome:
    """What became of a stretch in a worker's hands."""

    error: str | None = None
    hint: str = ""
    fatal: bool = False
    """Whether the worker can label no stretch."""


class RayWorker:
    """A worker in a process of Ray's. What goes wrong is told, not raised: Ray would wrap it."""

    def __init__(self, run: Path, make: Make) -> None:
        self._run, self._make = run, make
        self._worker: Worker | None = None

    def label(self, stretch: Interval) -> Outcome:
        """Label a stretch."""
        try:
            if self._worker is None:
                run = Run.open(self._run)
                self._worker = Worker(run, self._make(run))
            self._worker.label(stretch)
        except Exception as error:
            return Outcome(told(error), error.hint if isinstance(error, JudgeError) else "", is_fatal(error))
        return Outcome()


def label_on_ray(
    run: Run, plan: Plan, make: Make, cluster: Cluster, progress: Callable[[int], None] = lambda rows: None
) -> list[FailedStretch]:
    """Label all of a planned run that has no label yet; the caller holds `run.writing()`.

    Args:
        run: The run, on a disk that all machines see by the same path.
        plan: Its plan.
        make: Gives a worker's job, in its process.
        cluster: Where.
        progress: Called with the number of rows that have been labelled since the last call.

    Returns:
        The stretches that were given up; the others are labelled.

    Raises:
        ModelError: Ray is not installed.
        InputError: The cluster's address does not answer, or its GPUs do not suffice for one worker.
        EngineError: Ray does not start, or no worker is left; says why the last one could not work.
    """
    wanted = unfinished(run, plan.stretches)
    if not wanted:
        return []
    with connected(cluster) as ray:
        count = min(worker_count(ray, cluster), len(wanted))
        kept_alive = {"max_restarts": -1, "max_task_retries": -1, "num_cpus": 1, "num_gpus": cluster.gpus}
        kind = ray.remote(RayWorker).options(**kept_alive, scheduling_strategy="SPREAD")

        def begin() -> Any:
            return kind.remote(run.path.resolve(), make)

        return _Dispatch(ray, run, deque(wanted), begin, [begin() for _ in range(count)], _Watch(run, progress)).all()


@dataclass
class _Dispatch:
    """Stretches to workers, one at a time each."""

    ray: Any
    run: Run
    waiting: deque[Interval]
    begin: Callable[[], Any]
    """Starts a worker."""
    workers: list[Any]
    watch: "_Watch"
    failed: list[FailedStretch] = field(default_factory=list)
    tries: dict[Interval, list[Any]] = field(default_factory=dict)
    """The workers on which a stretch ended with an error."""
    faults: Counter[Any] = field(default_factory=Counter)
    """Errors of a worker since it last labelled a stretch."""

    def all(self) -> list[FailedStretch]:
        """Until nothing waits and nothing is under way."""
        idle, flying = list(self.workers), dict[Any, tuple[Any, Interval]]()
        while True:
            for worker in [*idle]:
                if stretch := self._next(worker):
                    idle.remove(worker)
                    flying[worker.label.remote(stretch)] = (worker, stretch)
            if not flying:
                return self.failed
            done, _ = self.ray.wait(list(flying), timeout=WATCH)
            for reference in done:
                worker, stretch = flying.pop(reference)
                try:
                    keeps = self._keeps(worker, stretch, self.ray.get(reference))
                except self.ray.exceptions.RayError as error:
                    # Lost for good, which Ray does not restart: another takes its place.
                    note(f"a worker was lost, and another takes its place: {safe(str(error))[:200]}")
                    self.workers.remove(worker)
                    self.waiting.append(stretch)
                    worker, keeps = self.begin(), True
                    self.workers.append(worker)
                    time.sleep(WATCH)
                if keeps:
                    idle.append(worker)
            self.watch.look()

    def _next(self, worker: Any) -> Interval | None:
        """A stretch that has not failed in this worker's hands, unless it has in those of all."""
        for stretch in self.waiting:
            tried = self.tries.get(stretch, [])
            if worker not in tried or all(other in tried for other in self.workers):
                self.waiting.remove(stretch)
                return stretch
        return None

    def _keeps(self, worker: Any, stretch: Interval, outcome: Outcome) -> bool:
        """Note what became of a stretch; returns whether the worker goes on."""
        if outcome.error is None:
            self.faults[worker] = 0
            return True
        if not outcome.fatal:
            self.tries.setdefault(stretch, []).append(worker)
            self.faults[worker] += 1
        if len(self.tries.get(stretch, [])) >= TRIES:
            self.failed.append(give_up(self.run, stretch, TRIES, outcome.error))
        else:
            self.waiting.append(stretch)
        # A worker on which nothing works, such as one with a full disk, leaves its stretches to the others.
        if outcome.fatal or (self.faults[worker] >= TRIES and len(self.workers) > 1):
            self.workers.remove(worker)
            self.ray.kill(worker)
            if not self.workers:
                raise EngineError(f"no worker is left; the last one: {outcome.error}", outcome.hint)
            return False
        return True


@dataclass
class _Watch:
    """Tells what has been labelled as it appears on disk: a stretch may take hours."""

    run: Run
    progress: Callable[[int], None]
    known: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.known = {part.name for part in self.run.parts()}

    def look(self) -> None:
        """Count the rows of parts that are new."""
        from judge.run.parts import rows_of

        for part in self.run.parts():
            if part.name not in self.known:
                self.known.add(part.name)
                self.progress(rows_of(part))


def check_made(stretches: Sequence[FailedStretch], run: Run) -> None:
    """Raise where stretches were given up.

    Raises:
        EngineError: Names the first.
    """
    if stretches:
        first, name = stretches[0], shlex.quote(str(run.path))
        raise EngineError(
            f"{run.path}: {len(stretches):,} of its stretches failed {TRIES} times; rows {first.start:,} to "
            f"{first.end:,}: {first.error}",
            f"fix what went wrong, and run the same command again; `judge status {name}` lists them",
        )
