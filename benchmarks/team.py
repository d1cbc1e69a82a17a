"""A contestant at work: a process a core, each of one thread and pinned.

A process reads one JSON request a line from standard input and answers with one JSON line: `{"pairs": [...]}` scores
pairs and answers seconds, processor seconds and what was said; `"batch": n` next to it sets the batch size.
"""

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict
from typing import Any

from benchmarks.contestants import CONTESTANTS
from judge.records import Pair

ALONE = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
"""The environment of a process that is to use one thread."""


class Process:
    """A contestant in a process of its own, on one core."""

    def __init__(self, name: str, core: int) -> None:
        self.name = name
        command = [sys.executable, "-m", "benchmarks.team", name, str(core)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **ALONE},
        )

    def ask(self, pairs: list[Pair], batch: int | None) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"pairs": [asdict(p) for p in pairs], "batch": batch}) + "\n")
        self._process.stdin.flush()

    def read(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended; python -m benchmarks.team '{self.name}' 0 shows why")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Team:
    """A contestant: a process a core, all at work at once."""

    def __init__(self, name: str, batch: int | None = None) -> None:
        self.name, self.batch = name, batch
        begun = time.perf_counter()
        self.processes = [Process(name, core) for core in sorted(os.sched_getaffinity(0))]
        try:
            for process in self.processes:
                process.read()
        except RuntimeError:
            self.close()
            raise
        self.start = time.perf_counter() - begun

    def score(self, shares: list[list[Pair]]) -> dict[str, Any]:
        """A share of the pairs in each process: wall and processor seconds and memory of all, answers in order."""
        begun = time.perf_counter()
        for process, share in zip(self.processes, shares, strict=True):
            process.ask(share, self.batch)
        said = [process.read() for process in self.processes]
        return {
            "wall": time.perf_counter() - begun,
            "seconds": sum(one["processor_seconds"] for one in said),
            "peak_mib": sum(one["peak_mib"] for one in said),
            "pairs": sum(map(len, shares)),
            "answers": [answer for one in said for answer in one["answers"]],
        }

    def find_batch(self, shares: list[list[Pair]], sizes: tuple[int, ...]) -> None:
        """Take the batch size with which it is fastest."""
        seconds: dict[int, float] = {}
        for size in sizes:
            self.batch = size
            seconds[size] = self.score(shares)["seconds"]
        self.batch = min(seconds, key=lambda size: seconds[size])

    def close(self) -> None:
        for process in self.processes:
            process.close()


def serve(name: str, core: int) -> None:
    """Answer requests on one core until standard input ends."""
    os.sched_setaffinity(0, {core})
    # Libraries print to standard output: the answers go to a copy of it, the noise to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    begun = time.perf_counter()
    contestant = CONTESTANTS[name]()
    answers.write(json.dumps({"start_seconds": time.perf_counter() - begun}) + "\n")
    answers.flush()
    for line in sys.stdin:
        request = json.loads(line)
        contestant.batch = request.get("batch") or contestant.batch
        pairs = [Pair(**pair) for pair in request["pairs"]]
        contestant.forget()
        begun, busy = time.perf_counter(), time.process_time()
        said = contestant.answer(pairs)
        answers.write(
            json.dumps(
                {
                    "seconds": time.perf_counter() - begun,
                    "processor_seconds": time.process_time() - busy,
                    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                    "pairs": len(pairs),
                    "answers": said,
                }
            )
            + "\n"
        )
        answers.flush()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
