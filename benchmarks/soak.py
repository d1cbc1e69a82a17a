"""Kill the workers and the driver of a Ray run at random, and hold what is left against a run that nobody disturbed.

    python -m benchmarks.soak --rows 1000000 --kills 100

The judge is the fake one: what is tried is everything around a judge. Ends with exit code 1 where a grade, a
probability or a count differs, and where the work was done before all the kills.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from judge.engines import Engine, Judge, Serving
from judge.engines.fake import FakeEngine
from judge.labelling.complete import complete
from judge.labelling.job import Labelling
from judge.labelling.on_ray import check_made, label_on_ray
from judge.labelling.ray_cluster import Cluster
from judge.labelling.worker import finish_run, plan_run, planned
from judge.pairs.stage import Source
from judge.run.store import Run
from judge.words.guideline import load_guideline

ROOT = Path(__file__).parent.parent
CANDIDATES = 20
"""Pairs of a query."""


@dataclass(frozen=True)
class Soak:
    """What is tried."""

    rows: int
    kills: int
    shard_pairs: int
    delay: float = 0.0
    """Seconds that the judge takes for a pair."""
    part_seconds: float = 5.0
    workers: int = 2
    seed: int = 0
    wait: tuple[float, float] = (4.0, 30.0)
    """Seconds between two kills, drawn evenly."""
    drivers: float = 0.15
    """Of the kills, the share that hits the driver."""


class SlowJudge(Judge):
    """The fake judge, at the speed of another."""

    def __init__(self, delay: float) -> None:
        super().__init__("fake", Serving("fake"))
        self.delay = delay

    def open(self) -> Engine:
        """A fake engine that takes its time, in small blocks."""
        engine = FakeEngine(delay=self.delay)
        engine.block = 2048 if not self.delay else 16
        return engine


def job(delay: float, source: Source) -> Labelling:
    """The work of both runs."""
    return Labelling(source, load_guideline(), "fake", Serving("fake"), find=lambda: SlowJudge(delay))


def work(delay: float, part_seconds: float, run: Run) -> Labelling:
    """The work of a worker, in its process."""
    import judge.labelling.writer

    judge.labelling.writer.PART_SECONDS = part_seconds
    return job(delay, Source(run.pairs_path))


def drive(path: Path, delay: float, part_seconds: float, workers: int) -> None:
    """Be the driver: what is killed."""
    run = Run.open(path)
    with run.writing():
        plan = planned(run)
        check_made(label_on_ray(run, plan, partial(work, delay, part_seconds), Cluster(workers=workers)), run)
        finish_run(run, plan)


def write_pairs(path: Path, rows: int) -> None:
    """Pairs of which some repeat others and some have no text."""
    with path.open("w", encoding="utf-8") as stream:
        stream.write("query,candidate_id,title\n")
        for row in range(rows):
            query, candidate = divmod(row, CANDIDATES)
            title = "" if row % 997 == 0 else f"thing {row % 8191} of {query % 127}"
            stream.write(f"query {query},c{candidate},{title}\n")


def soak(folder: Path, wanted: Soak) -> dict[str, Any]:
    """Label the same pairs twice, once undisturbed; returns what was killed, and what differs."""
    pairs, draw = folder / "pairs.csv", random.Random(wanted.seed)
    write_pairs(pairs, wanted.rows)
    whole, run = Run(folder / "whole"), Run(folder / "killed")
    with whole.writing():
        complete(job(0.0, Source(pairs)), whole, lambda manifest, done: suppress_progress())
    with run.writing():
        plan = plan_run(run, job(wanted.delay, Source(pairs)), wanted.shard_pairs, {})
    arguments = [str(run.path), wanted.delay, wanted.part_seconds, wanted.workers]
    command = [sys.executable, "-m", "benchmarks.soak", "--drive", *map(str, arguments)]
    # Ray holds a copy of the environment for its workers.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "RAY_ADDRESS": ""}
    environment.pop("RAY_ADDRESS")
    killed: Counter[str] = Counter()
    drivers = 0
    while run.manifest.finished is None:
        drivers += 1
        with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE) as driver:
            disturb(driver, wanted, draw, killed)
            if driver.poll() is None:
                _, error = driver.communicate()
                if driver.returncode:
                    raise RuntimeError(f"the driver ended with {driver.returncode}: {error.decode()[-2000:]}")
    different = differences(whole, run)
    return {
        "rows": wanted.rows,
        "stretches": len(plan.stretches),
        "killed": dict(killed),
        "drivers": drivers,
        "parts": len(run.parts()),
        "judged": run.manifest.judged,
        "judged_whole": whole.manifest.judged,
        "different": different,
    }


def disturb(driver: "subprocess.Popen[bytes]", wanted: Soak, draw: random.Random, killed: Counter[str]) -> None:
    """Kill workers, and now and then the driver, until enough were killed or the work is done."""
    while killed.total() < wanted.kills:
        until = time.monotonic() + draw.uniform(*wanted.wait)
        while time.monotonic() < until:
            if driver.poll() is not None:
                return
            time.sleep(0.02)
        below = descendants(driver.pid)
        workers = [pid for pid, name in below.items() if "RayWorker" in name]
        if draw.random() < (wanted.drivers if workers else wanted.drivers / 5):
            driver.kill()
            driver.wait()
            killed["driver"] += 1
            # Ray's own processes follow their driver; what is slow to go is helped along.
            end = time.monotonic() + 5
            while any(Path(f"/proc/{pid}").exists() for pid in below) and time.monotonic() < end:
                time.sleep(0.1)
            for pid in below:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return
        if workers:
            with suppress(ProcessLookupError):
                os.kill(draw.choice(workers), signal.SIGKILL)
                killed["worker"] += 1


def descendants(pid: int) -> dict[int, str]:
    """The processes below one, with their command lines."""
    parents, names = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError, IndexError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                names[int(entry.name)] = (entry / "cmdline").read_bytes().decode("utf-8", "replace")
    found: dict[int, str] = {}
    layer = {pid}
    while layer:
        layer = {child for child, parent in parents.items() if parent in layer}
        found |= {child: names[child] for child in layer}
    return found


def differences(whole: Run, run: Run) -> dict[str, int]:
    """Rows whose label differs, by what differs in it; and statuses whose count does."""
    columns = (
        "query_id",
        "candidate_id",
        "status",
        "grade",
        "probabilities",
        "expected_grade",
        "reason",
        "fingerprint",
    )
    with whole.database() as db:
        db.read_parquet([str(part) for part in run.parts()]).create_view("others")
        counts = ", ".join(f"count(*) FILTER (l.{name} IS DISTINCT FROM o.{name})" for name in columns)
        absent = "count(*) FILTER (o.row IS NULL OR l.row IS NULL)"
        found = db.execute(f"SELECT {counts}, {absent} FROM labels l FULL JOIN others o USING (row)").fetchone()
    different = {name: count for name, count in zip((*columns, "absent"), found, strict=True) if count}
    counted = whole.manifest.counts, run.manifest.counts
    return different | ({"counts": 1} if counted[0] != counted[1] else {})


def suppress_progress() -> Any:
    """No progress is shown."""
    from contextlib import nullcontext

    return nullcontext(lambda rows: None)


def main() -> None:
    """Run the soak, or be its driver."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.003, help="seconds a pair: the work has to outlast the kills")
    parser.add_argument("--drive", nargs=4, metavar=("RUN", "DELAY", "PART_SECONDS", "WORKERS"))
    given = parser.parse_args()
    if given.drive:
        path, delay, part_seconds, workers = given.drive
        drive(Path(path), float(delay), float(part_seconds), int(workers))
        return
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        wanted = Soak(given.rows, given.kills, max(1, given.rows // 40), given.delay, seed=given.seed)
        found = soak(Path(folder), wanted)
    print({**found, "seconds": round(time.monotonic() - begun)})
    if fewer := given.kills - sum(found["killed"].values()):
        print(f"the work was done {fewer} kills too early: give a longer --delay")
    sys.exit(1 if found["different"] or fewer else 0)


if __name__ == "__main__":
    main()
